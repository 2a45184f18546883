"""Archives and images that other programs wrote, folded: no writer for Python makes them.

Two files, `a.exe` (which is none) and `b.txt`, were packed with 7-Zip 26.02, gcab 1.5, arj
3.10, jlha 0.1.6, ncompress, mkfs.cramfs, mksquashfs, mke2fs, mkfs.fat, mkntfs, genisoimage,
rpmbuild and qemu-img; the upper-case table of the NTFS volume was zeroed. The RAR archives are
from the tests of rarfile 4.5 (ISC licence), whose passwords are `password`.
"""

from __future__ import annotations

import base64
import lzma


def unfold(name: str) -> bytes:
    """A sample by its name."""
    return lzma.decompress(base64.b85decode("".join(_FOLDED[name].split())))


_FOLDED: dict[str, str] = {
    "7z": """
T>t<81poj4|NsC0{{S1FlZx>;B}9e-jSI}#P)XzPNA%8-&v3PP=x1D|uC5V3r~Vx&WZI9&OF$0P2A=9>Hc)vrJdoM>aX@rD)
}6}kUhF^+#L|J70OE6Nrq}=Jeu;9O!VRt?IX_LqEt`tB<wHNN-`AA^5M+^iym9O{T%@&6K}RDe70Z98-*>@BmVn(T=DW=UEp
S5<CM63mN~&>JZ)rM)<LrdSF1JKcGvx!c&iA?CHuDeF0LvlGRpZiLbXErve2_iWQ|M@t4n6J8cf@~4+Cu6-`qVrss0H5L645
p3C5bA1t_`<UO!rjOSC7n~HQ^%>%1YV9osK^Dq!hQ|NtMU{)yO`8{NrsA%t~v|CjYIk|NA$900
""",
    "7z_encrypted": """
T>t<81poj4|NsC0{{S1FlZx>;B}9eV*BoAiW14z_c1iLp-nZ!|?HRUOc#q0<81XrttFTUNRUYZw>83}xkMx2n(qyQ-d$B3|(
@cvRLxwB0vMQ~Tkw++z&`sbl{f2aQ4vz$^`8F<{P?(uv%Ux4HVVMh8BFewT{6_0&V+!4m?tkJvD%~=`xPky~gd=Rgy_8jMTm
|VJ_gE`+mKb;=O5jb?+Lye@%CSvsphd>TbH$$}`A}Jpy@>N`XMJ3{0}t<ZdWJZ{tVcK-EIr!?uc&lh$_<2u^bX9y{i~Br1Tt
F%Z=VrOXky6|3L*sCA~53xdCtzlvn7N8)(!TAcE)qG>#ML8W;v58r$@&GEkF<|-jT%?<<Z>Yq}0i|(ac&ghM0>&UNGd;?~SD
wz7)~a%9-cTF=okT`M14!PyhF2cVG
""",
    "7z_locked": """
T>t<81poj4|NsC0{{S1FlZx>;B}9d=Ia`M|8LMlP2dO$*w0o4MQ>R13jY>miqTWWDs}p;o5QhSdI9yx;)l7|klKW6PyZ#}Rw
tEO{In!+h!^(m*l}7{{$y9K}6C@b+btEO$>T6~gX+wSqY_ZY_o3oe3o(V<J&+z{LuuO@H8hqp7&_h*lW;!ZXSf$GN;zovfZ%
}B5Xoxd(RapSl_ATQ~?w0KfoqiNh`5~g%e<d$`yp77^Z-6d*6o7On84A6ACS`IqbFR`#MoMy=S3SS@x=S=Tc_sPej~;x<Zf?
qDfYnkg|3h57W<*Q)VLbq2!Z0u(1pS=uinD|f>7U_Yl-4g6MG>m%>1RQ10r-;uNqT`DegHnojga?SaMa;$$!0GPd|9UDD2QC
_bx3wArZyZgY}E_gyQH72FT-Ru*M(BQ6ps6Pr|5Xc*ue}`44MY{aVWrx|N9<b00
""",
    "cab": """
T>t<81poj4|NsC0{{SYG#Avt$EbJpTQKcUql4He@ht}LiuorCCgCthn@@vg;o8vh8+o3u-{njB0v#E&Xo{trx<2_U*x|}XSI
#vu+#EWUQoDn~Y!4Z5Dn#iZ<zaZ5;&e|Zy2#q+v>)7IhnFD=b7U}MB<LizLp5TgSgblT1PxuM5M0)j;hUwrcucQD^Dt~;hTt
9BO2G-s~7MJM2P`AM5a>^A500Mt}gt>;1^B2hf@sT6|
""",
    "arj": """
T>t<81poj4|NsC0{{S#LfnWg`ZJ-;MbSytYk(Nm&LK3^z6|+w%Gbg~{DkN-tGZF}sr*^I5rJUj3NfC1Zg7WbV1uU^4wEnTCd
EPI;`uz(}wxIu${S>Ho9561+3FT4+GJn_Bj2$VN@s&?(OHr9}QClccg;xHA?_th>Q~O$_szGyc4zsmI2inOpR-V2oAnVJ{k*
Vo^wWU!b*r@`1IQ=A~XhV9eJX?88OH|=6+Om7LupXRxW%oxNv|!BRHL;oN{|iHaVQTjA6=PBD$IKfYtujU=B`=rpGQN%n&VH
K86U5H2tSGv_|H`L000
""",
    "lzh": """
T>t<81poj4|NsC0{{Rz!0sx1yeESdl`5b+8&i4m_hlUy?VC|Ojel6i_39$pG7l}l`;}36@XX;Ekrs~<9O;4=akc{{adiU`Ze
?f;&JACKjr?f;K2t6p8Lhdy^gAM|t6U%>ADB{x*w?e+^8IFJ1_5@sIM3Jzu#@7DQdB&4|?O*2LD}@Q5B9vtLD}7yhjB#4191
`sY%v9KsFqhTN7;0nEUkfZO_(eN@zB}D}FHVpz!djK`rs6y#EeMm`|NhHE00
""",
    "compress_z": """
T>t<81poj4|NsC0{{RoD6Lj;Oy42B7-3N4#CKQQ6wMK+RF`uG|%X^;u6Ie%)-9em)&|BRH`rNg<3uLp=e<Q*DHQtb^DHtz9U
L}w-%tP&7yF6*v8gMk{q+MS!E^rB*0KPxk1CH=wGSu}luTeLL;B!0rg`0Y7V>ny^e5UZgNqv<e0JeY1hd|I5nQ4WNy*Kv=0Q
g;T1&Gx*_84z8Bqq-??_Ot~XN9##9o%m%0xNzio_C9gKt004l;dxY+{A%<4Y_}Ij~)|ji=P<6ls}?S8H?vgjh>5}9cEOI;zP
-=ZMt>lsWr%kgyuo@s$r@VCy|K10w!}g5jn)s`%Fe|-!Xi$KIMF0L72Vr@%a?(?ucXXQ}s~k4GQ2<OBl7O2wcwCnZ(&&-=8P
6i&QSjd`Z~Kvi^80y-NXk|Ns0AfB*
""",
    "cramfs": """
T>t<81poj4|NsC0{{SM7Ric0ZLEp7MOUGHs(-u{}ky^2ppeW7iGa$XMso>?(=4f^olqCG7=`X7yoGz#zGEef|Ar1W2No$RGQ
ID;^suz7(;b8GsyQYI9UljSp!$?lUubbto4MO_-_(|mBU`s1bEs3@S;5%EQw=Y`UvH)3yd~)<Ku^^DH=^j_i?ra=9?oD44Z3
b3ip(PXD5Acm13@fs6yYsh3isR9Z>hwKI|Mez=r4-yHhgD(>)ATv0#EvA)Pmod$XT|LlCaR%+y52q;S|@4neo>|S3va?gXb#
NbKec+*9*+#^u;V}p_UHfp(1-v
""",
    "squashfs": """
T>t<81poj4|NsC0{{S=`%4+f=Wbol3n*Wk1L2iv@1^;(bJutpKN20Z`@z?O+1%e7~Bm&0gExtESM4T3;8Hv-TAL%a#3{d8wJ
VS!$l>I7{qVa|*=OhTAtYTJ%L(4ZVvhxa=;{H<zU1u-@O2$<j3^Jh=E?vct@`3cE3X%SufY$VYgT+X)fNpU04;9ZMUps1&-l
9R?W@(bH`!ff(gb~M+*MCYF+8k4=yD#gO)qYEO9H_83ci(AK51@@*=-69+6Y|L8n)XBt#;6>|6$f<BE!DOOwS?!w`&v<s=mX
kWb)E6hVVZbaTJ*QJJ+s(RWO4S=W2Vj4VE|}X1}A%78saP)K)t-}?7I4h0fXImvdPx--R2-2O;NW?#u!qRkSS^V84wnv+6$n
oHy<0L7e%*;vd66Gi#XwX|8OI~00
""",
    "ext": """
T>t<81poj4|NsC0{{R4Q{r~@?w|`QaOl=AxtRe@lW52NB_uCG7l8{C*h#E|5cX(oMcZ0XB1DYo#V+i~;=Xxga??E&J8(CC3#
7qyZWcq#UyPEJXZU|KD=yZgxyKKjB!j&C~Cnk>c1PefonpK^_7C)vIluG~;-~huC-c%7J4jR3#k@5X(5^MV_mGUAEQRBU8LJ
?EolJM^wPFmFf&Q|oK=NGsY^GH9bu}Ak+mS|4#*Xo4y3~??shSuRUT+Mb^A~CQ+uC~=y-a+p+eqm4l9YpB{M6(Qey20=Y{b+
Gsf5{55Z-4JqcRg-Q7`eD%cQlitjob2WC&~#|Nqd^trLADn>}%Nt_1l(J#0JQLnq^=O_D@ZuCLsM7?FRw8LAO??Blub^b?l_
^HcC~N=65En#HL!N_bW$dM`&zfL-q}+Y|i(;HE0832zPJP-!k%an_qiuSz0S~m-6H}-F32i?!E*7=me({=6fC^m=fJpcQz*i
RM|@?Xx9uimCX(r>$4H92cU|(7s=7g)%uL|P54SDar^*nRm?QcMW^Y=9&1oW-F$jL;8?iW;z>1N7Ab4RQnr}UgqE~K&$~vI(
1;zLybfE3s$RG;7UZXzm8_d6Z2MzOE>rDNiSj4_P9axGtz<v{<x^A^
""",
    "fat": """
T>t<81poj4|NsC0{{VH54hGY7c~aV5nvL8E(C!Z;G%f3WH(j-rx)YS_od-cY1m+gMTR4Yji?XhSt_*4dMZK6VRZBtQCiS}sP
qNU;KJCc++yk>6DSBBw`uDIh#%@_9ZK6kIUSpVB&`z`zSN{CoX?<Xt=-?@8jTw)piVuSOpL+Ob<vp)xGb)?x@8Fa@iogyg*x
IR5f6~)9kEnNvFK$|4(`2irtAi=$v+O3+(4n-2#ZV~;*QWth>MpSB^fKct+&PaOa!`|r)Q+o(?(HhXWSMC#HbHmPjd77@#Fx
54LGzOkr~Td+_~+y^w4xlX&(BI&*SNNJ?>vfuqkD|)?9RC)4pah|O$v{&BI<=YZZk2UC1rEe@M89;_Zk=Eyyg+v$)c_8e2>x
cD4`3^DPv%58R@V7^IyN4NE5>n{%{_mDz9vt5J7>Xv*ycXN{iT#_qh^|DM$Lf)*8E77%p_Hg@bVJu=(nY^*U+JZ&uk(i38zK
tIi5+)_p(z`w(O
""",
    "ntfs": """
T>t<81poj4|NsC0{{VHAjs)VMar6VJ^U0KTLJs@iBicfx-~-$aWR3>0RZ3gBp12z}ZB<l8VLAW0_^j^|=UmrRxAsfm5J~$!9
eLqMNvs7GSOb&I1QvE|V)AVD_XSZU8ivHNc&x5_F5p-qMm?IR-wXbFBIL7pJ(0`10UaAuKoI+pw9{Y|s@yC%by;8mj4S*pIB
?&hN*jI(K#4^G`l2y#((5VF$+2GP5*g0vvKTtE{rl@^uGHz$_ECTCnR+xRu_PHbc5qcH#EwZ!K0#klK0PWXst%o);GF_Mdvx
F0htzKE6a^wgxyhxv-aW)g{pu~(nfE7QJ4ZPxn}VMcur?iyn&ljsEu>k9mcfSjg%j$Mp~yLbk%^nt?p#!YR%I+L_@<$Qn>TN
_Vby7iEpncNol{byLUWzRa^)BXQIQQt*JbFP^(YRXZjX@al${(F1tfvZ6!y{(n9l<I+U#`8Q(7+0B<ZSj50|NLmm>ObtSWfK
cs;N!9F+-yzFEn(1+dug6LG{ufNXcy6BVjIWdZ-+PQH5b@;89#D21gg#%0yXMBt47<QHtO5HCQVR~eW3=P&(>)xb;f8)~hNI
Wj~4gD?K?aFh146dVx)N;8}zC&WygI=zHpa7~q0$X>1+i>X!kxLTMxvR~*RXas2mX2^Mko-^S;?@stjDf%g`P)7B&)1tHow;
YNb(nBdyHD&d2<Tm~lb!qq;ZvJyPwK?VBg`>xj$o9jhAcg#)@g!uI?EF4%cF~zFKYM-|bx8NB&0v4=l$PZbmi{EvQDvko&4p
4YqMnN`?-5sac$WE0IO$7<1-0Y?aFqC<zd#hxWkNP3Cpj(wiu16ZayTBYsu!<h5JLW@t!;T$T45qjfDG5=3<3s)rk2GJ#~cL
)Ni`=RFzg<D>`bN+z-O>AHjTofD@v0zvoVvQ@0Ux9Z0KM^m2?mQ@U~qP2O*$SguXR3NtxDoMb4%z<Eqd~<RBR20yD<z;!>ua
+pO4Z?=<jymB$8G+Kn2(zNj_6?B90xVWrP{pKis4$&&0qNlSoLE`IO2H2(wVm7@mdda(c>fR@XarCvH~y5pwjS|uGFUr(p{V
kG5IEp4m-wpVWVH+;Hvyi9}C%$&_`Q+qN`3*X1ZMbqrU*1X>rUWIEG*|Xl5CT}^n!u|Az_sY`DM|3|&9ZB66SP2HLql>i)X}
IaQU{=~q4Np{qfoSZgwpV``Zp>i^1Aa#SbYG^11l!hC)4Tw0!NhCyY!!9#N^S8n@pFyAPyj!CgGIyE%Z40Owdg%<W7||KJ{2
a1J^N*!-g{k-s?xe5!^BW`712!A7m$EZ80fnkOV4q%@1;7dGYWK`_Du%eQ>Ai8PG#F5j)l*p@J7x4M1R?ZznG-LC+CM|CQck
u@z2nTo%IogJX!^{P@SM&F0wOHJ##8y>!d*GEh}BN!aGVI6s<!>%-rO|@%3$|eG(-fNC%a%vg*>e6Dq1d^_-lvA*hnF7QsOQ
S^c+Gz`QFXvQ0m@CDQmgGRyrO8G>j=&{JkdUEwVd#*<56N4`o>sSIf)Xe{Ro1W!~{8SEM_rU#_fVW`Tsz0#XT=Tzq_p`fzcG
^m!GQt85fEJ*|%D|;N8P%j}GymBrD72;oxrEj-P&QXLp*H*c6ptVz&ghavbg>?tjo2~OzR!1i)8S|v?)QY@0itxIOlOd2Ig_
Y0%(onag`qH`gbtqw%t($Q4&PWGeq|iCs64kTV^4v)0-r}#iNe`$!6^pOBDO4o7QfiPWvSG;=+%h7s00?LwA=fZ7q_M)RBCx
PgV%XaoN2(9-;D?Kq2^KGw?pdq^@$);m<xaE2!SAJ|wv9hNd7oVkulfICINK20U>EncyK4R|y<_>YU`xty1O?B9((QOwA#`X
<#3f3y=&E{nC=~fk|FGXY0NgMsMft}s)NIC+>V`(DG+Dtrr9W30RLsS|1vTzFA-Un(D8m+-KdWl*H3dJx5};V+--NW=AdOAz
U=dcqGCvYEUst3ovT~uRuB5`5AzBTjn}DCxeH-7B1lTbYSCa73%pjMLA%Sd7suN-sK$unvD<yhEx10b>kZ+sEp(mx^%%Md1e
7r4t_;CUXJdyQ}V&azWf>PM2E9%y6zlazjCJ|aSTE}oc!F_Tf{_~ne8`7X*q2_*(iG+wtbiU|+s3hk<pIrFu6G(vjoZ>%MY%
69lWP1FqQsLB(idtQBpWeD~Rrd&|)g_68fCmAE%&o|f`mB2D@ywO4Tud}?PSH%4C9gA4)%iQb@$*&&by;LrKX`5JjsWhS<H_
!#Br`Ok<A6fhm)a$}T?&MTn)e2cZmlUcWFXxzCV0ynlD3G76{@wq=pvz%OCt5pJ)*<%8|=ifFYE-pBLwDIZo+#sr)fxtxm3>
H9Kg^4lHZPT59l6PQCrJ0-YlX_7vJ7isGEL2K*n)dSe$V=f4aU5#icC{&1%7o<YF;jk&g!dgj3uI{2(qWxE2{KDb2BMd@Znv
xg?})kwpotHa<;vv?P@<n1O*&^0wo4P{Etjzuo1G2}jT;U&i)9@|ZGW6|QG(csD}_)SIv3l7+3Kxd{^qf+KYEk4CHxJ=WQIn
=}kr?~_{;2GV(&+m!NHn%PfWmsu#QR9qiD0W%M-D3mzDcFPim8>vlP8Ll_&yZhZR;Lz~|m+mH_oZL?*&%PR&X$R2z`_~C4;t
kRy{LVRU>BTn13D!Tc`R*~@%$0s4l|`@8srsO26`>^OH2(4<Z^}n6KV{QmL$WVuNvo}_;gC_A0!CU->l8Rm%pcu@hJLbyH$M
?W%$sHEd|zvbG`my-=1j@)3zQevlU*%x`75liNcn?3P@Qc9hhFOsL4qw-8%Xy=NAYmDEwj#>nxTbv)RL}6GFz=dE~M>eazIj
8zUg+XS>)wg1qk`a+O7QiQY&=L9$O$n`Q1_+y%0HK`CI#tAj6j_eK=E}m%>m~ks_A{17FE-I~2e&H<+ar0j21p2`Z22Q$Xo%
Yefu;#E5;Dng0N@bTP@cROX)%9p4js?1rLA(wyb?T+e>@+Wjy}!PMF=^=}%EVz6>B9c(pOZ|7P=_lK-?0_r`PNfs-W`A7Or=
ThR5238rKM4sZ(<VN;X@Q6g9NsEHpFsd<uS(g9VW7XF
""",
    "iso": """
T>t<81poj4|NsC0{{R4Q{r~@?xBo{zNELE9VNtk}DCVPv2l?*g9)i;^#X39zOR;{*ii%AyqYc@ArsIqw5mVq<7{zsp;&=B%@
7)fLN1rO?4Rt}gL#;h57_<dF%V97W#z3!&d#RgqsyLwh1C5YxMm7(w-PE5SAPO0C<>e;pB$e(d*Y1*sk;2;7rQ>0tRr!;YS}
_wx0WG%`V{v<w<>JPMXFvTc>0v(<^A}^y4ffv|+Po{|wQR&$(Rk+fnV4egPnO1c72j?+2-9T>FNu)r9x0!ZA>rChaMn0*@kG
kSC~J2?hSBn@fn&6Sut%Z0Yk*YY7KXVI-&tk@IR!@@S(~wx<%82)q(eMudXzXtBvkalXid4w0OMAW_p{&mH$%P=4lAIoB{9+
6*2mCPoB9wkM#r@SIh$)yQLFsm()VUowbOjN{9U(^p#QVcgsvTPWyA2PWtJn)t)BpM`MRF`B&P0-S`c7}>gmbEqmJZt={Y$G
u!V+GVnJZ_>_DBvL!MNeO|@^0D~o7F^1f;D7u*u_!-bIj&>%PcfY>v{ARY+v9jl&@>#Gn<vGaJe&yJ({ies6?wY)>DAC2-L1
{}5JlHNKk6Ep&IC$jtY>*m5S)CB}je_S_G;*thd8J<L*;?m?s_EhkQbu2L3!cbI<$2~}sa6<oWwVeO
""",
    "udf": """
T>t<81poj4|NsC0{{R4Q{r~@?xBo{zNELE9VNtk}DCVPv2l?*g9)i;^#X39zOR;{*ii%AyqYc@ArsIqw5mVq<7{zsp;&=B%@
7)fLN1rO?4Rt}gL#;h57_<dF%V97W#z3!$J(GB|BHiF$(?FXIk~)zNyT?dpfW|2;ea{-1pgh5vAP_7+R6F5$y*7KnxhkqAT*
E2A?6DA_Jr;^|zh-*i(Ex_sN{WC;_9<2W8EiB_nsdNTlP2c3>ZqTml_@2F{zaS`0|d1fmgj&C)7~Ej?3;I6duvR%Rp#mt6-D
x%_k0lZ`H>Rtfg_lyvyr7SWSZ`lH~hRz=?&(IO`0O9pV)zzS_=qVkbwDtR*fP}RNU7-lW#uaZppR|HCT!?sWJa^`vRM#CDxK
+4dfP0D?1Mn9wi&%;z3$_--KNr;2>M6;{o{Ge7F^7a8KE*YYfrU-qiVqjaxIv&{W&G;O&`K)UW82Wr1~-yfZi1z)agB^_*Xr
CLDhLXf?*Gt2z)|duLvx+{sNd;m3#baah@X=68?0E$$20zqJjr*wFrqB>g+hkyB(z@G#kXTuK%Fg6Q+KexEuVk3|@pyR{wmE
Qyt{X;W5eAk0vaer-?6hwitW(1$V=q9H+^$O0$i$%&8m2_T0a1@Cjtakfr;LpFU1GX@@BL5xSN@aV?kLu*z-B~U!lD&On6dY
O$VZYs-2XWNL*o_~?<my5#==qW8s<emv(`ph2Wj0)R(pY%Z`?ZAFqJIVD<b-<wxLwB?d-{^#>!3hc0oU63~meRv!fI&ml(KW
@iR_FF3O}E9(4=qi8Q*gm;BrcCkJ0DX>EY7k;z$<mM<Tt=Jo?<*sjuD*J2mYEGSwV@R$W}wPth`q~Vjx|-O?JmI&kM_>IL?W
?GyjQ+myzt__hjCD8OZfp!$6ZFCQ(9|_iXs`AK$e*@Wj0?U#bs2OJ+il6Au3nllXCXS@;L|kdHhSfO|epttVS)EUTs-m|U*O
aq~=VBr~4$qZq*@QtS3qQg5Y`$_P9cY*Ef%k4$^{n=g=;7k5kATSyq|CO^XQDn9S~`+enq$KsPK@E-H<$1TB~3dl{q%R<m`)
NTrcq00ZcEMAP52VhHc!A>EppSHgIM<|qb<Zr*VE9gvtO@aY{ys-DUl(ws@lXvn(Rbt?C+oBhE^Ptu?eqghNLS>LHFRPt7tY
z5VbmcCb=;~LCJFgvSyox;8KwZO1$+L*@c*yYHw&IJd$T-Br=_;lPeWInsad%^wD`Ps>YZ`*HtiE=tj7_ej2+}=PfrFG~wT`
{y(my`-Q{OP&HPH^~je@!Q*R&1@%&rs?*>_Klovz-Lm}P5Os13B;StgjgAb#-fe6ige?JVX2GyiqlgQK;4ig^C93#;iq!)t4
~O8}kzO@3H$!;0HTfo-U&0sG4S6rsv6;3Jjvl&Rndb+ZJIKAt?_hm%hbS#AaXW@th%d&TM`PcKcpP1G8UMUkB<ZP^P?io7sy
`+Uf7o?Jg>8;&@MG}#Y+XbK*e#!>-8|I_Wb!oH#F)N8|&?i*wRt)T#?UC*Gv1ach(=&u{Ea@}vZ1`AKV{+$_)+Nie(D=Kq&)
q}mR9)FWN6q6Nep3*4osb0yJ6p#I=OGaxSL2|PdeIh3(CD1*Bf^gF`DuC6&Q|Arm3P=0^*bG0p8ox73x6P{<co==QYlLYSoF
B-nqO<Jr=~!Z1vD>MWVEvzTWqWVO04<c%Y;v)sT-EZ|EV$kzsWY2Ta+V|)5PDnXAWCyJR9!SGv%PWkK4+@;tligp0#>6-8m<
|}hJiTSVY@b0A1gS^toa)5+zLbW$?;CVCjMTi3s1XxDQ%Estw=Vr31S>HED*2|GoekfDT9)I(Hpsca&KDmpJ^A#w#Y~3<VIo
pgAV3a>fPUn1AjEGrka>6uPLDorjpht_JS5A&OYH3^<d753(AFZ=u$KI=s&-g%*#mOhEV_+d#|^(f^M~ZR3awca18dOsM3Ib
kFtTw`^8Y5Dzxa#N$L%#Qoz}+h&Yb4Fjej2iiTsx$~m8`zG*CQ`pd`ZB>+HalH0W%CW9ftgKZ9_mzjDrOTrz)%3K9+M`1rTD
VnSdgD8jl7v01ueg!*O6?U6SqTnI5*=VAW`UwflL;0ELF8Q3~ol2<4A^D#|H2OaXDk|;jKk@0AL;
""",
    "wim": """
T>t<81poj4|NsC0{{SYG$0?pN)An)uQyoI0!imv}Kuxo(GK>x}bxqb)(oBROwbO9$n8CHGtS0JQ)+|kZu9HJ%!;F?6u9FUN{
6b{l+jW6J<ul8WY|X-Ndv&NTx(Hi$-RA6=$qMxN)!s>s1~w?C<n!cBA(zA)<akW&4t$U`DVl0vr}nsU;GjWEra=#IS7kAoRK
OEUD~E{k=>4`>sXV6lOph<J4FIj2$!ThqDMMHp&5ylH=!+LSQ1+@d$WK|L=|;+pKX~xx?G|{EgJ4O>09W4!uguC;0`|%pA?B
rDr1DqxX?c5rjSG#Pe>VYdX+myX{t=k?r}a2WC_K^64*s8RJ#Z*?PC~mTc!S@Eogp5N&0<_h)Jwi`+KE!%&WW%6-?^huIdce
68jq5Vt9P0wNq`sGL&V_1iuu1b%9?>3beRlZs26M5<BGS<RlZK9rvS2~M2xu}c)N(@Ig|K70SdU=1)7Y1jCCL5fPb~Ruvt+`
{*V2O8Az-2GY>V`UFNd&no~FyP|}qif*c<)l*s@Sw3?%&eYyd!7lxg1*Vn6HDdqVq6n-{QRU?zdT^;t(KawjQ#AKE2(b~b^Z
dzQxKgtz|=G-(Ys@0Q#ZrU4bcWgDYP5+&7`V<l{xa0H1l0LsLBgL;7$@t2H`u@Odqwm|{BgPp2&9zj(
""",
    "rpm": """
T>t<81poj4|NsC0{{VKX+0C%5yrNf%d+b2k=Xt^wx}##@*b*6l{9hcz2>v~q`Q`=9Eo~ne<CTjAQ^w4^O?9@T%GWWX(K&xH2
;T&=Mb)}G;Lel-4DPtl0AN|?RywY4T^!dw5}%1B3jWMV<lzPV!01p?a;qzWB6*zEl~iG;LWziHwV}GY8%bE3QJeo;%Wp?%C_
V5p8FGx9OD=knI?rPmG)`0X>J31RJUpC=Wp$0zEVibF_hC|5-qO<b(-k5{y@2Eg0QNBYP;%qO0<ljm*df$?oQJ`EiB+qYR13
N&le?5TL7q%ijIQ+uNT6%eVliG-@=!@tP5JVp{PiUXYPeA`)AKy481TBZVrPH(ajVy>Xn;-irVt>$<da3KBs-Aa1+dKB0nZ#
ha^=-~(jF^^dM*cX3|y*7((+u<V|pC;#YcEa=+U13g@=9lcrsv}l!l-VA67N(GN=_2sft<IV3Wp;ma<O@`S_TXS+W}fU14`2
Y8p_mNj5dQd}0)z>A9#BK5Jef(LhgR*)Y?OSK)>xoR7N(cBs8R*+PegNn|z5enX=cFL$h`?*!!L`JyHmm`<vYhmc%a81o<qX
>l@pKY3j{+Y|&Anv}u&NDZq;5{-6Gm?l!gOs;XoXXupT^^#}VkJl5DH;$^2-X?R9oo_M*ImiZ^5cDMSu8UNT)+dbbYtd=;4a
x3`G%T;$c(FZlP0WBhuVOV}G(5qTti&9wyeIfF%g^J|%qrrOC5y_Y0ya>Md(`|&e#4C<WRw@@7(L{FZNXW27*8d8F^iR>4}2
%dg9B#vQ`jdV$!O4F0SFbyo?lhtPHU}!0+Gvb$*)z25n)OqhPEpKxo>R%F(fL#MmU&+r4UW}--q~qS5+`W<v24$#SAaB-GN`
r-Ih(zJzQbSt_%=jwotjJ^SaSVqK?v`X9rXulOa;G!^1p3q<<vTK!VZWm<dw9bRsbJeT@aqRxmWhKm9ShUdR~s0rJ43E@XoM
%+NO@StDiZIy4R7BLN>o15&@-$OyG)=Tk(0Vwgz-(*FrJ{WKmXd(|DNy}@4=Z>N8kLBIQw<d5nff7{Mo=JTvmG~$_|(nVHck
%?BTYR#RaE`Y!iP62!L6n<=rIMD5gxXcd-fkt74JL0l}`gz>)SW<L!N&DfcA~iQwqom@S>Y9vM^p=V&elE%ksuYQNYm4XP#|
=Ru)YAU$8Us{Iac}VsIo%KWFtZ4uiwk2|RJ7ZOow=ZNripm~x?|tE=OIGQ|CU&@tV+I!Ji%21fiW9y#)|_J>jlH$Fx+2L4{?
Lbp>^%5{Byln-4vZXQ{wKEG8TV360qTPCxn7$FJhjk_WX%2b)K#mh+kLvDDG!f=2TQ$n{ufYT<7jPdUkWzEIe=2aZve2HA=<
P2n?do0(x+OYb-RZ=Z1Hv5dfhTHpxC&-XEsgMNbs|{knw
""",
    "qcow": """
T>t<81poj4|NsC0{{SeFg<RN#*&0<}%has*Pg-n2&H#wW9Cxi~<AB}hSL_iHA(x%}wc&~Km_K3UO2ik>NQZ%!A6k!6U}>|TD
X|!%yx)Vu!;>gO3EdL^#JSFC%vJ_d+j8I4O*9_+=Dm54Xf}W@Ax^0KFfc*O8`7v>LUZ3t)#?4gqxfcO_(J1Bs4xN`h*NT;+n
UqhT;R%Na(Gc1PzCtOmp%ebXrhnK<zb(*XN_;q8<FDZ*_|7hhUV!x*{$&kif(Ha0^pwKP+3bK78|XiABLQoyU2ZKxKsOpagy
y?`@tt_B|fy7qZK?~|02Q|32A&3wY_7$U;Hkav}JycY`}n#a8zFdkEOpx{o-OYF8r08fd$}_=3)sL0agC$DxFyy!UG9bxOPB
aB(}>>fU1c_-X^Q+%ONs;tpf2mPrtbWy-@L^1lK%6zTaa-8RQ?+%O97dxEh#HQbnx~9D|;I4IP!5oj_9g|Hr?2k-FJF9<Uke
L3}{5fz^0ci{ppkKu0zTA<%Z`=U1ucnwU2B4-|3kjc8@Vt1O@6LnZD2`O&$X2GVlmeHAtmED;w#vs3C#nHZBDF~vqpQa;{D6
*ILPGP!raUe=oYp;8<uvP{stN+(a|0Q+57VL^Zh8xhf1-CMw`<&fi;pLg9AJ%(ElHX>Sper}yCcy3VOQG>IO%)8D3D+N|=ia
b@X+}?d6UxXKSy`#^O0PJrps=016PqP5TJq@FsfiDd&CQBpM<|@c!U?tn}d1M)W+Y6)x!uS*_yuoEjqZTl&ydoP9LfL{BY25
~h|EO9h-~
""",
    "vdi": """
T>t<81poj4|NsC0{{S9n1PUZlcYx})Vq~BRCYjO^_Xv}pIvd4qJ+@qF6m$7UZzBu66Rj`DjnwB88ohY`ZnYy?V_&?z!;HQ{Z
py}2j9wU_Ks$w!eU%K2>J*Y(Y3ywdte3%fNndugVnDGXChI?0bH3nqpsZ+|$6%2#5p^n;o3OnR@Cqr=U?K&(Vhre%D3WsL(@
?;o_|VB_@^s&loqS^Tnlni@&^eY604R7FW2ikhY?BzE5Cs$`G&^yFT$5eR-2JNXinz+SH6Ab&f_&2#IR0%C6bTZ^#7?kN8BA
X5wz-$1t)AXWiLl7^SF35!L^5jc<S!)PJLXv$-g(*5UtPasQw;bUw(+Uw()V;4qb-XV=O{Q64F8VxQU*x$00~!N6Bol`8-Z?
Ekmu==J>-|rpfzbIWDom*l@>2{aN#ZHlCiYZ;7|YP0kq)c3Q*NhW5GiD+k^eo#-`DvP2Ep`hB1B|`sgjPASA@j(2MB*h<2bC
p6hcJ<3x#{xzK24)Mw4xqO^u2SC;KEs@B-7AwNTOjj>P{bNu{Xs~#9#0U#Z)_YXr9SZR99T}G>c_L9+$8Ghn3{5HVMI7EBzK
=<Wj4%CZw880{Qu39Aj+OooY`4HkAh3L8IAw>p$sa5&p4wugl#3fVs^^rC)1*Nd=Z^3X)M-0)C5vr|V9lFl3Cm38=hUsQfSi
b3YtXbscTLlRD$J(v@`%)`(%^q7ILiycOJ@_eP2|IwxDs11iJMhH4E?=q-K1*gokP{C75R>?Ecv<)h&Ht4sMh~g{eBS$-FfL
ZWkA?Gtfxuy*bvo}%-~WadSaS
""",
    "vhdx": """
T>t<81poj4|NsC0{{TB02(jqRr$bzo_tKOJfYP&gIcMv0@5}L24hx@;%-qjso7M4H$+vr$j0725Ludf9FDS7X^Mhr#(ZZS^j
7J%V3&WEjJ_@tT#8`=K*gLC=Hvc%ofu#XC`_mA4TDqjQ*cOx=wgEA@;GgUp12aDwP>}CkCJjFi;x8m&_RizY!P6eKU9v1rvv
9aN$qCtXNzyIUTL-A6yp6Lm=S!gz_epSRK?0*vT^B32flW5f6fE-oE7rv`5(Z5*uCVVIia7Emqw1f5+_ofm_E|N&3P|+N<gG
4D{g>k;zRw06W@DwuHU=h(;m}4P*~-TG<7tO<eXIh>++BU3F^_%w=P5Jl4T)bA_RYji&{ahzeDZFVDK%kIJ*DWQ2`cQW|7%C
qVta9|Tz^Ll(UB3VtzaFx&ao#LTv>+cW>Q$b>2|DH<mFoh2>Hj_t^E5^D|F2sTOdOD-BUgIDP##dfXgau-?cmN#Jw(Gst-O(
W<rn?4*w97_;Gky_zTVdl_*9Jsr-D}bfpDLgjUTP{^4S|!ifJKponY^>DmM1T7<Ut-1AI8Ypxnn?7HpZ?NA<OO<~m0a(ysE?
WDcD+L>MaDqJi!nw*XIpq(L<K5w_i><FJET*N-(1c`?Z{}7Y-ad=ty3(fzPC`J#d{CwW~nlLU_z>kIVgMq+h#3fVs^^rC)1*
Nd=Z^3X)M-0)C5vr|V9lFl3Cm38=hUsQfSib3YtXbscTLlRD$J(v@`%)`(%^q7ILiycOJ@_eP2|IwxDs11iJMhH4E?=q-K1*
gokP{C75R>=faB2=Zax?t(>aj<+O_42ye{i0sBVX(&%Z1UEn2LTXk@6>X_Zh$jm`#}d*ss-)55y%?`1O%CF$JZt?r*_xO-Bs
TkrAq`U>&;7u_qW@S%&FmQdqv}cC1<C<y!>^`N!I={QFWXbj==HAVT@wQ$6@8WC=Tf%PMT&wL9>{y)Iv>4?as~LXZ;<{}7Y-
ad=ty3(fzPC_gc6J;e6U4-jk$f`q3Le$t|1xZDL#F<Oh_PiC23i;~R?4I1*fW%OP6Dn>o~ms9OKY38d$arjERFsK3PkfRUlU
d1gJF+9i(q*A)n+UP#OZx;a|MllaPl=f@3f~MlF41njM<{jm7Bls4MH&YPTmD-*{NV_3!N?mH1x&6hgN*#raOiueDB%H>1c*
GDT{|_2Tuqq8ffoGW95{q1Y5|r#(CJ)a^-UD8?K)N?AVBPC-vgAhgRPcy(EHK-`P*jm3mj(l0$#6Rqz%n<Or4<3C=%WcL?5h
7-CaiJ{7LupFIgcdaaGs|lU+gH$h0&Fmihe4Q@+Woo8NddZO_=@Iuhozb#3fVs^^rC)1*Nd=Z^3X)M-0)C5vr|V9lFl3Cm38
=hUsQfTqF8^sp22+>n>D0EGu-)9$O$n`Q1}J_$g!wJAlh7Y~Qsz@Wj0?U#bs2OJ+il6Au3nllXCXS@;Xh|CK0452^fo-us#`
E>^&gh4X`fz-7cGQ~33fHZcXIu<mcca7{-H(UB3VtzaFx&ao#LTv>+cW>Q$b>2|DH<mFoh2>Hj_t^E5^D|F2sTOdOD-BUgID
P##dfXgau-?cmN#Jw(Gst-O(W<rn?4*w97_;Gky_zTVdl_*9Jsr-E2`<gH=R=|&i^MirFWyB>@`1O%CF$JZt?r*_xO-BsTkr
Aq`U>&;7u_qW@S%&FmQdqv}cC1<C<y!>^`N!I={QFWXbj==HAVT@wQ$6@8WC=Tf%PMT&wL9>{y)Iv>4?as~LXZ;<{}7Y-ad=
ty3(fzPC`J#d{CwW~nlLU_z>kIVgMq+h#3fVs^^rC)1*Nd=Z^3X)M-0)C5vr|V9lFl3Cm38=hUsQfSib3YtXbscTLlRD$J(v
@`%)`(%^q7ILiycOJ@_eP2|IwxDs11iJMhH4E?=q-K1*gokP{C75R>?Ecv<)h&Ht4sMh~g{eBS$-FfLZWkA?Gtfxu<NB~$qI
kv1^}rLgXA!EjAS4AGGhs;yuhy3VmD7+hI~>1I+`zUg+XS>)wg1qk`a+O7QiQY&=L9$O$n`Q1}J_$g!wJAlh7Y~Qsz@Wj0?U
#bs2OJ+il6Au3nllXCXS@;Xh|CK0452^fo-us#`E>^&gh4X`fz-7cGQ~33fHZcXIu<mcca7{-H(S#XfD*E3{3!M9oCB16ojT
5OhzqLeJcAd!*bNp!BSHCfnrhaW&i-XO<zI{Xo)MYgP?l`B5M(irQjQPuZpY%!qK#xA}fHrK{{N)9p@Nd;&2XfoRa5O=_0>a
6bVS?m-6RohPE}lB+`rrIFK^ASa82ptOC^R}V)eO6<<HVQQa8<HYlD+1I^5HC_>1AbKCyLdi$kHBYS965`R^7}`g=r^H{?M#
5-0bJoa4uFJiksKd-#Q&aB9U776Usy>&<ndMKTYA}t;Z=-5MiVK02YUL?w0LcyB@dsf04b@i@XI!sFJ<3&~w!^1PNr_pYrk+
sl5Y2>9eZUbxe2@JB7RMV31NpRYw8>ZZUVG#X2~hPAAQtWde%4P!7Ot-=(}Kx25CNoS)EgMF=WWr5FWUXev3Fq8HZ<zgr;SS
S!U|QKIL&)p+If0e#$^zy_F2nElwV)sPRwB~$qIkv1^}rLgXA!EjAS4AGGhs;yuhy3VmD7+hI~>1I+`zUg+XS>)wg1qk`a+O
7QiQY&=L9$O$n`Q1}J_$g!wJAlh7Y~Qsz@Wj0?U#bs2OJ+il6Au3nllXCXS@;Xh|CK0452^fo-us#`E>^&gh4X`fz-7cGQ~3
3fHZcXIu<mcca7{-H(UB3VtzaFx&ao#LTv>+cW>Q$b>2|DH<mFoh2>Hj_t^E5^D|F2sTOdOD-BUgIDP##dfXgau-?cmN#Jw(
Gst-O(W<rn?4*w97_;Gky_zTVdl_*9Jsr-E2`<gH=R=|&i^MirFWyB>@`1O%CF$JZt?r*_xO-BsTkrAq`U>&;7u_qW@S%&Fm
Qdqv}cC1<C<y!>^`N!I={QFWXbj==HAVT@wQ$6@8WC=Tf%PMT&wL9>{y)Iv>4?as~LXZ;<{}7Y-ad=ty3(fzPC`J#d{CwW~n
lLU_z>kIVgMq+h#3fVs^^rC)1*Nd=Z^3X)M-0)C5vr|V9lFl3Cm38=hUsQfSib3YtXbscTLlRD$J(v@`%)`(%^q7ILiycOJ@
_eP2|IwxDs11iJMhH4E?=q-K1*gokP{C75R>?Ecv<)h&Ht4sMh~g{eBS$-FfLZWkA?Gtfxu<NB~$qIkv1^}rLgXA!EjAS4AG
Ghs;yuhy3VmD7+hI~>1I+`zUg+XS>)wg1qk`a+O7QiQY&=L9$O$n`Q1}J_$g!wJAlh7Y~Qsz@Wj0?U#bs2OJ+il6Au3nllXC
XS@;Xh|CK0452^fo-us#`E>^&gh4X`fz-7cGQ~33fHZcXIu<mcca7{-H(UB3VtzaFx&ao#LTv>+cW>Q$b>2|DH<mFoh2>Hj_
t^E5^D|F2sTOdOD-BUgIDP##dfXgau-?cmN#Jw(Gst-O(W<rn?4*w97_;Gky_zTVdl_*9Jsr-E2`<gH=R=|&i^MirFWyB>@`
1O%CF$JZt?r*_xO-BsTkrAq`U>&;7u_qW@S%&FmQdqv}cC1<C<y!>^`N!I={QFWXbj==HAVT@wQ$6@8WC=Tf%PMT&wL9>{y)
Iv>4?as~LXZ;<{}7Y-ad=ty3(fzPC`J#d{CwW~nlLU_z>kIVgMq+h#3fVs^^rC)1*Nd=Z^3X)M-0)C5vr|V9lFl3Cm38=hUs
QfSib3YtXbscTLlRD$J(v@`%)`(%^q7ILiycOJ@_eP2|IwxDs11iJMhH4E?=q-K1*gokP{C75R>?Ecv<)h&Ht4sMh~g{eBS$
-FfLZWkA?Gtfxu<NB~$qIkv1^}rLgXA!EjAS4AGGhs;yuhy3VmD7+hI~>1I+`zUg+XS>)wg1qk`a+O7QiQY&=L9$O$n`Q1}J
_$g!wJAlh7Y~Qsz@Wj0?U#bs2OJ+il6Au3nllXCXS@;Xh|CK0452^fo-us#`E>^&gh4X`fz-7cGQ~33fHZcXIu<mcca7{-H(
UB3VtzaFx&an@n7SrZ4AN%9S4*
""",
    "vmdk": """
T>t<81poj4|NsC0{{SVC1>P7q^Zm!uy=Z|w{WZ6wB0K(=eWs3384o@d&H9G>Z|_=f(gEjxrKb;P+qAC5Y?@S-V4k<y#c2+$M
Ken3dfCe|D^yrM=xcq;oShl=z}?X6RL_s$4Y45}^nN~k?0^IPw>Tia(L1!+jY&7D0JCsVJncEuK{Dt2Zz<9p-0KsB1+>e4DP
K`=5jL)D5!Bc6aVtl;W*480!gz<pSkQp{8XQpnO)@muXZb=qP&+4#eF-8jc+c_}7l{2|1QrP~q3<~0c8{g<2<9sm`aR)%>rP
X2lG1?{drZ|^X5PqMYb46MX*@^<P8Yv2*FWz7469GGVMcAwOOaImAhZT8TRq5;ouR-6h#A+(Ap?qMw;1^lg!8pUm?Z1oYurw
_Oq{ODCnxQm622~7*G;M3r9_(ZASP!Nbbndc$k0oNk++Hz5cC|ABGi+~tz{tI;6{Pw&CaegK@P5-B^ld}O_<7m9x42Vce7Gq
4aHpX5Hz%hS)H=NHSzmnDU#$1x56!*9?G+DZ^ApXkIQ=$#Y$*Yj1d<PZk15<!dQpdGbtRTQ^h4Rbp-Wp<WxI)Su5o?s7m4dI
S9yo#O~_8-<$}w<C@yt3A1%>(v1|fL>VGVp~VYZd;;Fti!f^eT!8w{v>F(q*dgJ}(HKL#O8b^o<_~@Dn0AeVeSe^WO|6x>_u
D9=A@<zZAKSg*aK(^cC+)X-PZ&{r?_xuIxgR@`lX_n|3(S@|JFEdL0b2`$5SIqWZc{axI=Q7Q!YaW^211JRT%L?|a)-I|QhM
5i0=$r-O<jOc@70@{FQ5CEqaSDL9`OGq4m^YdZbl{eP5%Or(t19kO-PgsFJ4WZwV1A|n{-lragYIF5|I0jMuq
""",
    "vhd": """
T>t<81poj4|NsC0{{S(Y${298qzy9u+C`8sZoABFydQwZIP;pB(QOpfSK)Obi2_!((=q#`6+f&GsVgPr99la8RrZb-yA@^YB
sOj71XoR};`&3urVd1Eu}->na`7t^8!$@rTBa3jt0#Y^c|jlL-tuXr{Zb@g6O<2OXisf+YLk6#<oVr?4`rt7PGuP{>=nH{b`
{J+yLl;7I1fOiCXG>KbdQdYG?gDx`nokx#LKpjnf)%(Tyl11QWaW@V`J!Bjy@Xsc4_2Z$^NL>aNh#m6r)tV1PU;<jJBcdYxY
8NfJd>VK)tu;{uG0p`eh%%L5Q+1XW_b0N4`nf?0Wyv1(`|f*Zc@*57~CL>c7zW+6YkOT#KWbD+OiZw%?xwY=sd=1o+XgCXxA
L&00V#+-*FNKp1&-gH^@tAlyUY%BfH{4P>9$qBn#DngvtEGg>aDoa)iB$V%%&>+bjrAZm{+6KdP>cxFpv8}Zid@xQu?66!`(
$#o6BMUv!c<6%0LiWw6T5PKz?94&qsZ!Uc3A`7lonDZl|j9dZ6q|$L}^wKA*p(5f8+Q;~I5N0at4y<D#&tGZ0!CvrMy{f%t3
h4t|5qLn^V%a#K5|MH6_LRJvqPvx77?Bx%hiU0`TfPZkkcPDc&9Yi9R=|&i^MirFWyB>@`1O%CF$JZt?r*_xO-BsTkrAq`U>
&;7u_qW@S%&FmQdqv}cC1<C<y!>^`N!I={QFWXbj==HAVT@wQ$6@8WC=Tf%PMT&wL9>{y)Iv>4?as~LXZ;<{}7Y-ad=ty3(f
zPC`J#d{CwW~nlLU_z>kIVgMq+h#3fVs^^rC)1*Nd=Z^3X)M-0)C5vr|V9lFl3Cm38=hUsQfSib3YtXbscTLlRD$J(v@`%)`
(%^q7ILiycOJ@_eP2|IwxDs11iJMhH4E?=q-K1*gokP{C75R>?Ecv<)h&Ht4sMh~g{eBS$-FfLZWkA?Gtfxu<NB~$qIkv1^}
rLgXA!EghRTqtxBw6_iOyko!r)XNlA
""",
    "zip_ppmd": """
T>t<81poj4|NsC0{{ScwykIH^b*NZu6Fhbgw219JR-^%++wK#r?gWNPxm$W{dF~&>)dPX*A&3VTTVMUs3r%ksdb~ZO8`>aZL
kQzqS5W#Sd5cddnArI_lYVHaXnn8X%NIM@(eV!&hL#ap|79)E(Gcz%CT?xyV!b&<pvIE>2NU$KV@6<g);Jsl<sg0;Yz@<c4#
kiE{!u?b
""",
    "zip_xz": """
T>t<81poj4|NsC0{{ScwykIDo)m|SaT5A1oY*l!APc(LzTjF3$1vnk=Pcfck=-fn|V*KHmxx)LQl3ex^i8@&2u^x{26sRTDf
U)!;adrMFbMyZXD7vb)P_O%QJ{}mco(r{KayoOyI-BV>EcuNEFgE3OxY*l^)D2nPMo1emle~HtLT~w=EZI3Erd0=rVx%ql)M
OclZ0zk3i;xE(!!Bv(MsPQ-9jbvD@3P23V#et~1UjA|$Kk4zC2k*Z0gaJj$UsUub{Kb(gb&>RIG|_%
""",
    "zip_lzma": """
T>t<81poj4|NsC0{{ScwykIH^av3+Xmhz;_(3DpUL4(rZ_#!3TK|kZ;6oQj#JHmJ-CFLVfz(q^zMrM<!@b-0~E>T-kiIr>Pj
$gZYo6r(a5YUKR0qwFM^a>XPjETLpn|9QndseOjkx~l+W;NQJH+#GbiM9v}r*>0f>(r~jGU=|vAEBW8J4NKK)Bcf@O%87G9}
@PnuB63qze50OZP%7U2T5dx|7+(!00
""",
    "zip_bzip2": """
T>t<81poj4|NsC0{{ScwykIGJU$dZQ<w1T}IwPqom1TD_+^MUxFsfRN+p~f7zGpS#@m>+B17(BO!^O2#kHp@oJPgxU#SufNC
Ck1}_E20-n!r}8+2!$u#Xe!)Rc1tXde8Yxd8GVuOQ|U}MrdV<5<H2PZ4Ej#73@!#8f<_!W6&oNle+8RXPEPG){NYk1*P4OO0
u2VxcSe@3sqKb(!EmFrBo1s`~0Xh;n-<ANmS#+)338(Sx?XJWvjFj!&2&~<s+S)(moNvMq=aJY7a6W^RNGFI8p!
""",
    "zip_deflate64": """
T>t<81poj4|NsC0{{ScwykIDxlIc9^6zkz$OL}tWt7OW><G~&04N)SE^E~N4)%|dSg)|}&xCKfGT%79H09i~rHPz#)%*fYyg
C*LB=+(ihZ1Me(A&xfNjlrf(Y-+ZhbtZ)wpub;!%#G{_51j&%-px5DKn)AStOGo6@~FUP4{_e~0E)7*PBQ$AEmQ!zG9FphTw
JDEXZ5Rrf}<^;MgDV100
""",
    "zip_aes": """
T>t<81poj4|NsC0{{ScwykIGzyy~1or3GQ87nXIzptNR_^vh91q$nf@W%`kY$=MXvI>L<je2%*TG`1wCKO0?+W_$dAOu7p_-
HWagD}soabs>jYVGOFoR!Dwo(noHG7pUweB<}t^YvY_#yl3(a{yHaf4FcZ3u-8!wHW*EAF0!{L7FI1(!u_=yxcl2z4BNa0!@
d6q`^js!EX`QLxHc4vsFqmd0VNKKE_E%)H!C%AU=#cT*-2gF%0KNNt_4)U#-UglcyUV<rF&k-$>`}Z_2H~IpoeU*T&AL;l<Z
xV%k>hXN|~*Uy)mc?HFYAwZPk+w#Um^wPDao$aDR36GyVAGdZ=*MHnnW!MuwDY7<-;4IjugEeFP)lpx4zJ&2=5W-pEGO=Bd-
)CKHqE6u(IXA>2}c+{VnuO<e!RsnVS
""",
    "zip_aes_ppmd": """
T>t<81poj4|NsC0{{ScwykIH^au%FJr3GQ87nXIzdSQ{n{Rn3ZWSQx9GSvAd+VWst7`7|@$`yS$pe<dQu8b{(Ots@IRQ3qup
gL`ROX<IoV<3-sF=1o|d@BHxK^rWrWHxA7fmuRjZa-@EjEUwJHJDM<j#q1$v%A?M|IDDz-s60qGtkRA=4FrWMo3wd3>t@0tJ
=#p2q#2RP*xg<pQDcnbIbK0lYx+U3I&FflCr?^tBNkS4*YE2|I8meTL
""",
    "7z_big_first": """
T>t<81poj4|NsC0{{S1FlZx>;B}9e_oY#F!;$|73Dv~8a(`~C-N9cdAgV$}Pi{qouBq4io1>Y3OZQ@^+^&+u8F#HU76`%&*$
1t|N8P>V0@!k0TkC2m#00`Wt<wNRq!>SliKqjt<Ai_TaB8)0)|CTJS*1B3llGE#~>Xcv>ur+ZRy+OGK)56hSdIs9?`>9odg{
x+6&WiDA7Hj41nD*8L+^k+e5~v%gdH3|`6<zyk$dK}(X>fcV`)(&&C;C-mpYT0+LMJuODBTZ$4;Nhq;g-!$$Y(&Lo!+a7oHJ
i3G!bb$`@f^Y`125SP=g6@0NZ}ev8@o^89RXH1h~eHOB6SToUr}kBksF9kS+I~L<`$#Kts|CX#<~BiSbtNjmHCI(a^Q#P|%A
^x@|6j$l-atd25^lQ@zaD1jVILW5pp_V$3St<9@*D8R_%i^UP!3Gq(jzGK>NJNg)PAtBc+<26{~Eqv`TA5KYCCR}#Q2R~rDe
8b>%rVl#L&Z#3l52RaK#W=DD053B9>%tZ<$C)-g;GXwpU5p+_8;4|r>&6T{#t-g_s3OSLwX;s0&^gz3CpDyg|07yJ@xHJQA*
5WNe&>@&yV<$_arP;4XYG^6K`qAn#!rez;hB3S&8x^+B%ezv~n{RRl0Evy2itdm*%XH0#CtJ$7^_{+JtQ_BmLd-UxtV#xTSr
*5_T`13f7Pr3tjGAvArAl#G|N3?)U;
""",
    "7z_too_far": """
T>t<81poj4|NsC0{{S1FlZx>;B}9fC{)FZy3_XG)EGKeJ>6fTWsU-D`LmVNc7*8pW8QJZG<MeW#KSM*lWMsybmX)*D{E$(=A
->JKwOCpD{)>saoLm6{1mc^QSo&UO#e26|l%K(VoqvtYhhYiWSU)A&#}nXz-t}VS#Q*$p*(AIn#E0tAlz+mimm|UqT0Bnm$%
or}g1A$M3EJ&m25laLDtYvTXj3c{uP%VnQ6toQ<c0Y*<D5(RT=pkdK;nI$4`dGYSG)USot;&Hh8Hl9C*aIcf&KitblInXRsR
vkh(Q98GHglfg&fxOtxsZiEbdt9it2?sCmm(F`t=H_ZdU_DxN8otIY8`WV5=<sbqP4&Y2+V0XTV*+f5qKj^wj(MJ`9Y+GNc@
+s%?x;ttq`RDUOkbAl`BBU6DXe#58ELUn6+T{@>qt35Xc%`lV`ElggtvHzD&5GNW<iUO2HX*$Pzykdt{kqkk=uX*fcg9c#Y-
Yqi;OJL?H4UjF4&YqS4r%FYP<v{kHSgsGq#xFM)#8rAt<Q#={U5iaTia0Y(0uSi8TKo(?Uo66z9a4XWTQv5IRYRX1l^PV|@>
RquW(?h?fvexCpD?mA?Q5q)U>jEyP?dz6I4f2K6$*f6I5pWh;S(Dj>%c*!mn_sLihD*&f<Tak^9^{8|iQH;RWpvA-GpdP7R_
g>|1_J;z(xDg6l=#$~5cw|*Lnds~>;6Q>P~a`{z5o1DI{*
""",
    "rar": """
T>t<81poj4|NsC0{{Sf%N<t7)WxAPu<c2u3ik?QrZ$aCG(%PGJzQ`w&L&&CythX<q{NU~Ph~xyr1b*o5!+c=nHZ|A0Yrr#un
b5U}Tw7c6{lYt_rPg)5cl3FYh2O4KbqAP42RpX)aLwY@6&Xf+e$#I7LpOyRC3|i?xBk?u_(8%PaXg2eRampiBv-LZzO!Y(9}
0X#daD8=+gJX{0;!6BcO;{f_li5U(xC~R;z9VH)4S^w5Ez<9xxPPdDGLm#pyvS_gigWRLloVdvGn)zgz=`i#UQWeF$a8=J!j
~;!(j^~U6)j(P5T<AjR}%EzlHcIO$E>I_~Lya#l5Qr{$Rw+cvd84UeRiW)P0^lFkD*)?1+Gk73;z)#Ta;^2x37r39TG6Bfd=
Jx>5_kSaN|NKqpqRd2;i=atVjJH>*TsxL6{>@R1C1f_?x0$vx`&
""",
    "rar4": """
T>t<81poj4|NsC0{{Sf%N<t7)Ww|ZJpcBsk-xYQ7yqd(LsN;p2O(|d-0bTq|HoWe@W1U~%=2S^+V7MFs2<8Aui4Q-_95$2Ri
}ZU%`Ww2EBs3~>!uOEhW(l&2Of_pWk?L_+!h+Vaw)NP}l~mQc@wsp!IyL-O5AEe&gvuXXiqrOjOcNxO`pV#XYO?1|w)TzzlV
~~exydB7dtelsU6&#t<9wkTzd#11CUOwMcw^w`miumq*mW1wM&pJCX?TClR-1+~ED@=kbDCzebHkn0;IYE9D`sdrBovA^q!5
tPle_!n!RWi2CiGXhL-y=_O#i09tMfoDKK``fe3vF?OQhyJ(_kCrZRE;oF9E2<k_g3C#YkLDcjGmZ!b@k0v<oc$O6aNIyGD*
xzm{X{2)R}j*h!GK$d$#l-#1GNU%aVBlou(%NIzAgcAB4t=qlg;A3in!
""",
    "rar_solid": """
T>t<81poj4|NsC0{{Sf%N<t7)WxANG`ss$n*9HGK(t=?cy{K2oZMWv!JY=2XzZ|bzsIpsNMZV@bMi8v}-%0gVD{T{{1Zv5p!
O%tu-3{^>b>`xGPB%ZqKNeEP>L_lYV?rmCc-}eJ>p+Vgy`<GMTo1|26Nou_=l`x6<`%VV0-g+It*qz4FeYk4njOZ*iHL*N#m
w0&H#swWlHy3xgB4g(p4b=v{7V1;
""",
    "rar_encrypted": """
T>t<81poj4|NsC0{{Sf%N<t7)WxAPu<c2u3ik?QrZ$aCG(%P|wGE-w<KUf!8?kMf25fth(3`?j{`)p=G!JE5|Dam<?E+wpQc
K?sg#+^%`s_;RYnwlE6<<2>QHs3wGl)HYlA}(Yll9u@Oe}e`Zg&I*_A$3l}BX?%77L|>$k+<u9#msFxI4Fn$&ujA^FwIy}S<
=zZ{T15fJmIuj;r$UXaU08o(jpB~bg+BCXU85yrDrMT78a1FI)Mj%d<d=V=-7%WN^|+ZbKchOxAJm{E{@goazpYWw+wsdqw8
^B{uVVHzz5NF*`SCgM}FjD``Mh6{9r@DE;aOch)k0bRlKTFs)>82;}16AHw@Ub(DUrTr&i|?vn=?#TdYtk?5O6VikDY?efFj
nV{=#fpk^;|q;bU9U2g@1vV?QbigZEpWpK5lLoXgl%wuy*mF&*uj63NNkm^7xI!zvave>iFGU&5*z!eY57GXbr<kq|kL`}m|
m+0Z=ROR*n9G&%{)u{6<m0?>?9wuNjf0?{r06YCblN!+Tpk@MQ=6yzO0=U}xkQ9ISpbr{aOvmwPtwJKUMW<_n#e`O7#Ao_%{
~2=(D;L7z-s)?B#PYRoWUK=<=AQkfAi^UB6y7(UpS)0IVR*k(0J>HB2VjySIkWFf^BBcsrDSt+2cHogB1*eo0w2MVw;5lpvn
}CXLP98T`M})3%=s=!!NzN#5<(~Nt*f*o*=(@$u`yj<J@%N*Dj7|Swe`2Q(EG!HbY!pF|IG+Cv`P)oog{ggGc^8M{XXLDYZ0
0sQ|t1J4n5e~twEK6z6<uYMq1ox_Jp+|?a`+5zkX!m{V1FSjF@jX@I^AMJxia%M#WVfKu*y(iiYgUWCIni=brd%1)Fx-#4>x
d^MC&8tnH7yy7$`SOAB%U`fMNQq8N10m2{zI-GgAp9lpK|oZW)@FRK7`!w#_JFAL=N_4#p-{a)?WvvIh#jMz+OaWgkdp3`g*
GL#6D572*)PHUunty3zJu=|xdy5MG+v2>q>Mk27aSgrRjK3`clso$`H#b1`R+wHfH%+Ycb_go@UNRtIrkXDvw{#QaBtCS>-W
Tj~Ii(4a;p$Ft$^r6!r1lGEW5z>;<6q;Pyu#yATV*lQ^nnu~)gNZ;#IhHP9h@wb~ULc`1q@1t^!Dg7Gdb1c+PPdNzwPakHM8
RMHIKx2SZyMvELqz_hu9+^Z5QFkQ=+~7vRj{ylnwBv~MgHMt`Q;FI^8kg+&9DJbWp**Qt<7A=;oEx%FHK1gNqV8wNO5;-p<^
E2HTRaFMgv1yOY$q&z%jaT>B(PwyT#`>U1Z7{RJxWvrd3HzTsb((;qS>saQq>1F=ova#fylplV~trUv5u4akT3e1kn;DrqTX
A|7BesG3fv~0Z~F6l<ipzd}t`jn~k`UH9381X*oa8TdxFYY=sk{xrok=k##Sn+7*`IY%H277Y*KCI_vScTWk!=1y9OM$vKz$
eX~WtSj(Sy<^YH4<4k@xxtc8yBC)U&Jjnjz!3HqJ^`2W_cyF=ySdJoLSz(21)PC!a_kX*{hj-%X^br{1v8fB$C74q3hRF^w+
m-5MSkUm6G3>?kZ6@z57&FxMSa8L@w}kyL9%)xPAZnbpzs{nxW6;AJTxd2iq&@{ASC~5(MqSR7Pb6xFL8TlIYPK2X3fZmbtu
J(-d=;hpV4U&**u$SdNtx<+r9+=C?Oh)D`CGWxh4LYGmoM@TW{L(S6zpV_m<y(K;>)03P`Y}b4rn%<4aYmZ>!Vw&v%@Z*X|d
23Gb2(y4hmqUA=}Skbwdc=jD>ng%WRMXc!CMBk`I)Hffz%Zynf1r&d3`=7taL*;%O;3uw)`NsZup;d*z02ArWgTd3VPV^$a)
Q#w}dvkr55Q$g2gVbXB!cHj#mGRrk#dQ+j0q#(HS*rEI~0(Yp(4s}71$rfo#9Kzd!kDvHVeU=_eo6$isQViK~@{j>)NQTu=o
tx=%s4oYM#nSNNvXp7_&LcK2_guY`iM7&rR-A36bRaJ~BIqF>#VNDY2Jku}CI{iBd;Llbj*_APM;UdDW8<3CbfKiXtO?X0e7
#REqQJD}AovAQ0&JV+Fck_{%$Cf4$9HBUvLLsyf5YU6;!{nUoy}TM}v80p3>MP$bjP!$o?f%##i%FeuTBg_XmN3TNQl+Hlu5
NI_<DB$BqUPSQ!G5b?AUvvQ+o$~IGpSnC<7YJFozW!a;uzBY4R9PQr@-I_$0FhJz))T-&x3b+3&<JmR$25iN}4t0_|`I%+CA
g0hS7w{-|jRVWgNhr!_a2`br@4UYil@iokh#k>sWs@HpmR(9dM$7)!r@BIedG3@0iZxEPSF$T25}Uz}})``sxr8J-F(zs4mg
I_s1Vl(ichNik6EGG&1K!gYP9Z&gZ(PQ<{t9J&(&f%F^&BZlpH>S6kig`AS_}Yhfms4ij{XyOsRLoi*S-lxHuU{1xk%^kPm_
@@P$t61XV=C}i+WqL#Av6S|Iw!ok#dG<7DB;ac3ZBV+4C?X`oqRcq6P49`I9w<&ISZ1&ETuv$N6K!A-gDQ0}Zs2A&tRzn8Zf
l5)byyk64Qx7CY#6J$L4$(6czX82P8`0A)(xtYAE8N)0ZPa_}A2+WCG{?<jDA9y+wtp}-4yV6vkl82ehB9olm_v+*&^d!RPo
%}u`Gq=Msh<*a*RmThm1r4aT_+-A6r3ek`48`<>JMbMZi$u*A}blqlZ||N9H!u;=MwH3<iV657l|Iq`f9#kGYXO{Aw-0~xq`
3d)|Y@<t`MH#xzQMOBn4~<!a<o*q?IWD3`kmCz6nN2<=c5TRtXXpimEgxB}H-{eKINNe*d(U3sd2!0J|?&ElinCUD?T0N{)o
m_8uoCa*B8WOtv3N?&3Y`iPl$&p64W$Hpha6ZA=V#k$V{4KS`=tfJx+M<}NA8-W0Hg|JNWw@4S`c`PqRw#q7GXlB!4JF9f8a
52s5;Ux{qROvovO7MEN-z&omfccCUp{BUmWY&Z?rQmGuSxMvdcmv~Kt;-ix5yzy|$U^ziDZTR>Ah<SbX-n|;Y3`0lPtj_U_<
xqIN2cb$|JX-(%_{7oR
""",
    "rar4_encrypted": """
T>t<81poj4|NsC0{{Sf%N<t7)Ww|ZJpcBsk-xY3zZI~`(0i<20iw=J|y$@U$%@&Nz>D70J&)6&NO7J)@P~uQ+Lor0#b?n+zW
}VeYBu-)K2-s91OkIzCgE%E5OX-IGnng=-9)xsF*)0JnKDkJq`732N4k>AT?k00k=m^6FIDQw1&cgmvq`i-l;ZV0REHsl*EO
xX;;)4OF<NysVBp31Xk;BQ3(61Z1!nhn?X}gqrM(V8@0GS+{<@+Z-QK~<RJYf|^8GSz3ID)&q(i+H+%}F=v3;0Z4rT^Lh-~a
""",
    "rar_locked": """
T>t<81poj4|NsC0{{Sf%N<t7)WxAP2Y-ffW2jJ5-do_zR)%M^8@gzg;>Iket@M|p927fa$@4)Mnik5%Y^Hq62Agx$o8$|Lj;
^WSQ9R{t$fI%E1<%7YeR42<tnFJnaTC3&8BoGD%YcYsRdLt&m+@H*7GdO91A+uzs167<lDdj=P6BzvH;b|>eY1Q$x;;ZpU{m
~Y&9#;P4wgYXhR^fUI0>nw7_?7U0d_1mB^`%#b@FL&B=q`ig*?tx)Uh*aDEJ3~{vEV8oMbUZ*;R+t=w;io9nirs4kg6>2-)j
--(MJt91}u)6Drb?*rDe_>j(i)hqc91`-6wD{P2C(iCDS)&6P$HX3UX%b$V~dDAMFSfeA%*frP#x%SO4;79owq(f3W`iDiw)
X#UN^ftOiis5ARunhkWJu7_wo_2AT~Db&3ZE31{-v?#Au1*!Bkc7FAdos-qE@Mm>ZQ&19H#p|w=6u~wmSlWa=SRj0rzxeq*9
5*QYCm5Ac{kT#LwW3w_&->KtcGOUn@XK>U&2}ZF;#euRjQ!LF3Y$9xgR~#`lLtgfEUec*UTPBCVfcz0Nn!3BJ+Pn!GDVF_i^
=~R`cbaB5b6mE=YqX7@Qb3n|Mu5L|lB<_GrrQw~AXJMKK&5)wZ&2d)L`E3PiD;C-Y`P9)E!2=Qe*o6C;ml1_(Nz?5<vYxkx@
zEdD9~H1JWY-Ed<Qwq8UHWYTCmx6C&U@;D1c&oBd!&l=B)a1awArNKXxS{-lT^vGftwQj#~*RyGhm|H^YJe3<gWabs@^i9i9
@X&;Y7K9WxY_^tzU{(G^$zh>z+nUf7o8ePJ(|dhQ!$u)oqtD}PL!<c5tLrn3Ou9y<lJ_O84-$|i%%lf^v5d%6vWFx8}(*6&S
p91SQvhO^hBdIGKLR{-wA<y@Ca6sK}6z<=q+BJV9a13Fwt3$2QWehdaOkkVC<Z(7)?#sb7=*B@*yG5$}zPVKoki8xLMi40p?
kC4hyw{lR?e_R)Y;P4e^HN^q<Fij1yDW7Viv3#mH+3^|&io}0lkO-9)tFLIwz|7uU(d8bd?j<El7%F^SDkbXs%|FOU`$gaKv
sGITo9qT{3Ok%Ig9+E!ma2k!uxjj->bAU@7tEUs7}6S&&F7r%V?y(M{1bJTs2$MTtFL!oTd!HzM<N+2^%i8!k*%7&3W*o5`;
g*WgKj%O#iUC2bDnaRk>H#h)j@s!qc~6OiogXhGUFQ`7|4dVu<QlO){zG0`=U$s_el<|2h_5nrNI4Hmj3Wt0It;Ovo9_J@it
mw-lMe}Ki!|gV*-+|uN<yFy$alXQ)cz`IlGJtNqU9(vC~t64S=2+C1x&|NV)eCI#z77>@UqAm*2}rC3Tm|P#igrAvZ`K&sRV
J2s%eQrXqnyOdJ6rj5NPbk1%BWmw}X0^;ddrGcCFD{Za1w^db?WnK1~u)%R=Cv;;7Q<<8C6HL%9FHV^S0`-_0XfadY;g|%N0
bLYFxG61Sh^5{VoA^tjhG$2{g473%h3O9^0n%2&N1N)?&XYvJpt|ZwKS$Ok&Hm*QqMd8Tq+rvbvmOnMJpIR-{>HLj4TWXItG
&gei8q0Ba(9rb=ZmguaBmbpe%t&$F3!+H2``j}Z+*x#A>|||r6E`*GOw`&4NgwUgL?3FA9c<oUGgA}Ds;<Yx^JPf~sb^!_sE
}vl@m0rh4Y1KcOG8$mjnVG540!U<dqefq@xvpgS#1vFV5=>GEceMai(n~vSt2@<yB)Qd8IhwaKtw50>#iqQ0CekJuR8`Ri+a
a14i9Lrd5h0Xo!Y`(pXZ3ffVU@?#9k6H@TokIcZ9Kd_P9k#_WLRj8rg@p?EcAbh(hg{Z==D)9>TH0uG^JUFTH{M`7D@>maiZ
>|FN<A6>0bx5YdwIJ#1v<+3}^%{;*%}F7fNEK-U=<HJT!JN-5En@1f*2HN@<@IIF*TJw;tn%aHA}Hs7#iSEvG@!dDO23P=UJ
<>9d(B)D@_uHRBVh_wf6w6td)%yb>;mTgmc4Q6NI)-tkW{m>oQ0_>CN4}Y4M7>a7j=B>LQmzn7?ZvGxQo*Fb~w`+lb-1eDIJ
#KOvl>Y{Dh?1^<kbZ&m=W7omGw=!52tB@LaJM{!-$FNFY1s*<kfF}QBQusk_4hwwILX57+}4($9xTu|x>a_LMNV-2b|ZhNtF
$(tV8|})gd0}}ZDX6O7E}APjuYjD5>8)ERYhmv8z-nxtJ`>j(r?$VEgKM`7~Gppx)il0L1?2utoEt`ugT6*+N1b6`b??Frnz
^RCy0}?4CMin=XlklO#{vbfWx5TjZN&hE-Mr3yP2S1V}eKOjg%^e^3{&o34~gm%4^>4<?^fUjX~f=V@nTV@#YchqgraRbN0c
o-!8bT+W@O+xUa{BW8T2;2c6dSD`|7HrCj<MakaKFGSEG%-0|*$&Hg9l@f8A6w6H&SQQfnad33!(1}D^^Hr7>>d0{h!8ed}5
+PvW-24Wz26i}CQ@uDJiT1UZ@;WWuW{Y&c+&6b{VAbpb&_pwE?3Z=0PYqY^gXZ=CNX${=iYoumsZdvv%4aP`2iB)`DbzwC*l
FY&=fU=1$_L~OgAVrESHwVFh=<v(NSR&h3(N<6A>|El`){jqS#_JfG80oy+hgRJrq{OTWlW>JU@9q<ccoOaeO{H0$+48Y(1p
Tm`bw4(k?%E7IixeYS$(4F;)huFP4OF7z#IxMSiwh2PB`-6Eq)^mZrR#h{FV8oI&lwJ^{$UWg?4bTTzADFBkfM<Yu*?S2r=G
ZJfnPE27qIyg)&Ik!<snub`u*{lYuJg2O^a?>Uj93{?V!n~<faZ>F*-G-w9Fqo<d}$~7^l=U7gV2+4}r$O>LfB+ks}!E4OZi
ceG?6?>)4+)y+R4K+|eK)+6y!*tXMa#=}`gQxWRerT9P5R&H{cLz^?}vTnm4Q8wI!^1r}8GvV?%$>@Y9W#6(16G)VD(pALIF
dUK|mRb07{0G}SN#CK%W8(eEh3=kHase_tT4DE&(t~))A_s0nwqTAN{By8I-;gK1kYL>uW@CIE1cqDCtNPP9|=>_tmS0J$Sw
Z%gFw_E(N-zcaWZDz;lDNOlape|vJN>XS3@t*+)<&)m6I9U3AUXPQq+IbBVskwS$QJbG$Ktb(<5C>Q+pWmHvF=7RxGEFJR2I
!lG*9qgDro!uFDb~q|!^mq8RR;p^g&Bdvy|6IUs7)c14FhGqSmvXz&csj+fugY?>G7;Cn5QtM;e5E^zgl_W%w(M~&Uj%6uYE
6>w(}PBk{<2|bNaspQy4*e?Fnq~_=^uW^#&^=9|MhkGF^$cCMa0P{d>3^79dSXXykqWL^kjLM(?zH*hl^$;%M0_X!^O&T!GG
r<6<akK^cS+f#pjjt}b?rLZgvv)2U5HQrRdIf)bQTi;92$Y9Igr
""",
    "rar_volume": """
T>t<81poj4|NsC0{{Sf%N<t7)Ww=Kfe0I4aLgoQ?k;I1;5<4G-fG;A!-70hx;`r#kK7biQS0^BimZHN-gpmAILO~<9sQQ2Q6
m+b>jewRh`w1M<3?Zn`1dohL_<$#AKTHzdNQZ=(C=aODVf};!p#aMt<Z}RsDy;>sJK%yl?y{2utFVB|*T!0LK1Mhtn=C;X3r
ELWTqc?V85F~PadHqyGM$v>v$E&9b>tJKjDrt5uGF<8(^<El(QCi%*eKSG<8cLX<orJ;kMCRpSYYq0!gk78Go;Zu28$c;ePB
(V8C~tCtCs;=J$z^$30MYqlBQte*I>5$OvFftyZ`P0ZI}
""",
    "rar_links": """
T>t<81poj4|NsC0{{Sf%N<t7)WxANywgLe8htm&@XflOBF5hZv;qK`Uq(&odItORB{_@pljth9*QgZ1*`xYqt{kBhD6{&vSa
5M6P-h}gmHg0?|E`W!v`!+6Y#P}+mLK@Ozg~y39w=N>DWcdn{@Nowz2SD8@9vo)20-f$bwq87fXHMeogrA}HZtm;u4!S^=+}
V+P<Oc84AJlKD*Q%m5x>(`o0H3)d>*4?SpTGb
""",
}
