/*
  Droppers and lures: scripts, shortcuts and pages whose work is to bring in the next stage.
*/

rule Tocsin_Win_Shortcut_PowerShell
{
    meta:
        description = "Windows shortcut that starts PowerShell hidden, encoded or with a download"
        why = "A shortcut disguised as a document is a favourite carrier of malware in archives"
        reference = "T1204.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $w = /p\x00o\x00w\x00e\x00r\x00s\x00h\x00e\x00l\x00l\x00/ nocase
        $a = "powershell" nocase
        $u1 = "hidden" wide nocase
        $u2 = /-\x00e\x00(n\x00c\x00|n\x00|c\x00|n\x00c\x00o\x00d\x00e\x00d\x00c\x00o\x00m\x00m\x00a\x00n\x00d\x00)? \x00[A-Za-z0-9+\/]\x00/ nocase
        $u3 = "http://" wide nocase
        $u4 = "https://" wide nocase
        $u5 = "FromBase64String" wide nocase
        $u6 = "iex" wide fullword nocase
        $u7 = "-w 1" wide nocase
        $u8 = "-w h" wide nocase
        $u9 = "bypass" wide nocase
        $u10 = "[char]" wide nocase
    condition:
        filesize < 10MB and uint32(0) == 0x4c and uint32(4) == 0x00021401 and
        any of ($w, $a) and 2 of ($u*)
}

rule Tocsin_Win_Shortcut_CommandChain
{
    meta:
        description = "Windows shortcut that makes cmd fetch, copy or start something else"
        why = "Real shortcuts open one program; chains of commands in one are droppers"
        reference = "T1059.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $cmd = "cmd" ascii wide nocase
        $c = /\/\x00[cCkKvVrR]\x00/
        $d1 = /c\x00u\x00r\x00l\x00(\.\x00e\x00x\x00e\x00)? \x00[^\n]{0,80}h\x00t\x00t\x00p\x00/ nocase
        $d2 = "certutil" wide nocase
        $d3 = "bitsadmin" wide nocase
        $d4 = "mshta" wide nocase
        $d5 = "regsvr32" wide nocase
        $d6 = "rundll32" wide nocase
        $d7 = "powershell" wide nocase
        $d8 = "wscript" wide nocase
        $d9 = "findstr" wide nocase
        $d10 = "msiexec" wide nocase
        $d11 = "forfiles" wide nocase
        $chain = /[&|^]\x00|%\x00(t\x00e\x00m\x00p|t\x00m\x00p|a\x00p\x00p\x00d\x00a\x00t\x00a|p\x00u\x00b\x00l\x00i\x00c)\x00%\x00/ nocase
    condition:
        filesize < 10MB and uint32(0) == 0x4c and uint32(4) == 0x00021401 and
        $cmd and $c and any of ($d*) and #chain > 1
}

rule Tocsin_Win_Shortcut_MshtaUrl
{
    meta:
        description = "Windows shortcut whose command line is mshta, rundll32 or a share on the web"
        why = "Opening the icon runs a script from the network"
        reference = "T1218.005"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $mshta = "mshta" ascii wide nocase
        $conhost = "conhost" ascii wide nocase
        $ssh = "ProxyCommand" ascii wide nocase
        $h1 = "http://" wide nocase
        $h2 = "https://" wide nocase
        $h3 = "vbscript:" wide nocase
        $h4 = "javascript:" wide nocase
        $dav = "DavWWWRoot" wide nocase
        $run = /(r\x00u\x00n\x00d\x00l\x00l\x003\x002|r\x00e\x00g\x00s\x00v\x00r\x003\x002|w\x00s\x00c\x00r\x00i\x00p\x00t)\x00/ nocase
    condition:
        filesize < 10MB and uint32(0) == 0x4c and uint32(4) == 0x00021401 and
        ((any of ($mshta, $conhost, $ssh) and any of ($h*)) or ($dav and $run))
}

rule Tocsin_Win_Shortcut_ScriptAppended
{
    meta:
        description = "Windows shortcut with an HTA, a script or an executable appended to it"
        why = "The shortcut cuts its own tail off and runs it: two files in one to fool the reader"
        reference = "T1027.009"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $s1 = "<hta:application" nocase
        $s2 = /<script\s{1,3}language\s?=\s?["']?(vbscript|jscript|javascript)/ nocase
        $s3 = "This program cannot be run in DOS mode"
        $s4 = "ActiveXObject" nocase
    condition:
        filesize < 50MB and uint32(0) == 0x4c and uint32(4) == 0x00021401 and any of them
}

rule Tocsin_Win_InternetShortcut_RemoteProgram
{
    meta:
        description = "Internet shortcut that points at a program or script on a file share"
        why = "Opening the icon runs a program from somebody else's machine"
        reference = "T1204.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $head = "[InternetShortcut]" nocase
        $a = /\nURL\s?=\s?["']?(file:\/{2,4}|\\\\)[^\n]{2,200}(@(ssl@)?[0-9]{1,5}|davwwwroot|([0-9]{1,3}\.){3}[0-9]{1,3})[^\n]{0,200}\.(exe|vbs|vbe|js|jse|wsf|hta|bat|cmd|lnk|scr|cpl|dll|url|ps1|msi|zip)\b/ nocase
    condition:
        filesize < 16KB and $head in (0..128) and $a
}

rule Tocsin_Win_Autorun_HiddenProgram
{
    meta:
        description = "autorun.inf that starts a program from a recycler or hidden folder of the disk"
        why = "How worms travel on removable disks: the program hides where users do not look"
        reference = "T1091"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $head = "[autorun]" nocase
        $a = /(open|shellexecute|shell\\\w{1,20}\\command)\s?=\s?[^\n]{0,60}(recycler|recycled|\$recycle\.bin|system volume information|\.trash)[^\n]{0,120}\.(exe|scr|pif|com|bat|vbs|cmd|dll)/ nocase
        $b = /(open|shellexecute|shell\\\w{1,20}\\command)\s?=\s?[^\n]{0,40}(wscript|cscript|mshta|powershell|rundll32)(\.exe)?\s{1,3}[^\n]{1,120}/ nocase
    condition:
        filesize < 64KB and $head and any of ($a, $b)
}

rule Tocsin_JS_Dropper_ScriptHostDownload
{
    meta:
        description = "Windows script (JScript) that downloads, saves to disk and runs a program"
        why = "The three steps of a downloader in one small script, outside any browser"
        reference = "T1059.007"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $ax = /new\s{1,3}ActiveXObject\s?\(|WScript\.CreateObject\s?\(/ nocase
        $http = /MSXML2\.(Server)?XMLHTTP|Microsoft\.XMLHTTP|WinHttp\.WinHttpRequest/ nocase
        $stream = "ADODB.Stream" nocase
        $save = /\.SaveToFile\s?\(/ nocase
        $run = /\.(Run|Exec|ShellExecute)\s?\(/ nocase
        $shell = /WScript\.Shell|Shell\.Application/ nocase
        $html = /<html|<body/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and $ax and $http and $stream and $save and $run and
        $shell and not $html
}

rule Tocsin_JS_Dropper_HiddenObjectNames
{
    meta:
        description = "Windows script that writes WScript.Shell or ADODB.Stream backwards or in pieces"
        why = "Names of system objects are hidden only from those who would stop the script"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $host = /ActiveXObject|WScript\b|CreateObject|GetObject\s?\(/ nocase
        $r1 = /llehs\.[t]pircsw/ nocase
        $r2 = /maerts\.[b]doda/ nocase
        $r3 = /ptthlmx\.2[l]mxsm/ nocase
        $r4 = /noitacilppa\.[l]lehs/ nocase
        $p1 = /["']WScr?["']\s?[+&]\s?["']r?ipt\.?Sh?["']?\s?[+&]?/ nocase
        $p2 = /["']ADO["']\s?[+&]\s?["']DB\.?(St)?/ nocase
        $p3 = /["']W["']\s?[+&]\s?["']S["']?\s?[+&]?\s?["']?c["']?\s?[+&]\s?["']?ript/ nocase
        $p4 = /["']MSXML2["']\s?[+&]\s?["']\.XML/ nocase
        $c1 = /fromCharCode\s?\(\s?(87|0x57)\s?,\s?(83|0x53)\s?,\s?(99|0x63)\s?,\s?(114|0x72)/ nocase
        $c2 = /chr\(87\)\s?&\s?chr\(83\)\s?&\s?chr\((99|67)\)\s?&\s?chr\((114|82)\)/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and $host and any of ($r*, $p*, $c*)
}

rule Tocsin_VBS_Dropper_DownloadRun
{
    meta:
        description = "VBScript that downloads, saves to disk and runs a program"
        why = "The three steps of a downloader in one small script"
        reference = "T1059.005"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $set = /\bset\s{1,3}\w{1,30}\s?=\s?(wscript\.)?createobject\s?\(/ nocase
        $http = /msxml2\.(server)?xmlhttp|microsoft\.xmlhttp|winhttp\.winhttprequest/ nocase
        $stream = /adodb\.stream|scripting\.filesystemobject/ nocase
        $save = /\.savetofile\b|\.createtextfile\b|\.write\b/ nocase
        $body = /\.response(body|text)/ nocase
        $run = /\.(run|exec|shellexecute)\b\s{0,2}[("\w]|execute(global)?\s{0,2}\(?\s?\w{1,20}\.responsetext/ nocase
        $shell = /wscript\.shell|shell\.application/ nocase
        $auto = /\bsub\s{1,4}(auto_?open|document_open|workbook_open)\b/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and not $auto and
        $set and $http and $stream and $save and $body and $run and $shell
}

rule Tocsin_VBS_Dropper_PowerShellStarter
{
    meta:
        description = "VBScript or JScript that starts a hidden PowerShell with a download or base64"
        why = "A script whose only work is to start another, unseen"
        reference = "T1059.005"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $shell = /(createobject|activexobject)\s?\(\s?["']wscript\.shell["']\s?\)/ nocase
        $run = /\.run\b\s{0,3}\(?\s{0,3}[^\n]{0,400}(,\s?0\b|,\s?vbhide)/ nocase
        $ps = /powershell(\.exe)?["']?\s[^\n]{0,300}(-e(nc|c|ncodedcommand)?\s{1,3}[A-Za-z0-9+\/]{20}|downloadstring|downloadfile|frombase64string|\biwr\b|\birm\b|\biex\b|invoke-webrequest)/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_HTA_Dropper_HiddenRun
{
    meta:
        description = "HTML application that starts an interpreter and hides or closes its window"
        why = "An HTA has full rights; one that runs a command and vanishes is a dropper"
        reference = "T1218.005"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $html = /<hta:application|<script\b[^>]{0,80}(vbscript|jscript|javascript)/ nocase
        $shell = /wscript\.shell|shell\.application|win32_process/ nocase
        $run = /\.(run|exec|shellexecute|create)\b\s{0,3}\(?/ nocase
        $what = /powershell|cmd(\.exe)?\s{1,3}\/[ck]|mshta|certutil|bitsadmin|regsvr32|rundll32|curl(\.exe)?\s/ nocase
        $hide = /window\.close|self\.close|\bclose\s?\(\s?\)|windowstate\s?=\s?["']?minimize|showintaskbar\s?=\s?["']?no|resizeto\s{0,2}\(?\s?[01]\s?,\s?[01]|moveto\s{0,2}\(?\s?-/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and uint32be(0) != 0x4c000000 and all of them
}

rule Tocsin_SCT_Dropper_ScriptletRun
{
    meta:
        description = "Windows scriptlet that starts a process when it is registered"
        why = "The payload half of the regsvr32 trick: a component that only runs a command"
        reference = "T1218.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $head = /<(scriptlet|package|component)\b/ nocase
        $reg = /<(registration|job|public|script)\b/ nocase
        $script = /<script\s{1,3}language/ nocase
        $obj = /(activexobject|createobject)\s?\(\s?["'](wscript\.shell|shell\.application)["']/ nocase
        $run = /\.(run|exec|shellexecute)\s?\(?\s?["'][^\n]{0,200}(powershell|cmd|mshta|rundll32|calc|\.exe|http)/ nocase
    condition:
        filesize < 1MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_Batch_Dropper_DownloadStart
{
    meta:
        description = "Batch file that fetches a program to a temporary folder and starts it"
        why = "The usual first stage sent in archives; installers verify what they fetch, this does not"
        reference = "T1059.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $echo = /@?echo\s{1,3}off/ nocase
        $get1 = /(curl(\.exe)?|powershell(\.exe)?|bitsadmin(\.exe)?|certutil(\.exe)?)\s[^\n]{0,300}https?:\/\/[^\n]{4,300}(%temp%|%tmp%|%appdata%|%localappdata%|%public%|%programdata%|\$env:temp|c:\\users\\public)\\?[^\s"'\n]{0,80}\.(exe|dll|scr|bat|vbs|js|ps1|hta)/ nocase
        $get2 = /(curl(\.exe)?|powershell(\.exe)?|bitsadmin(\.exe)?|certutil(\.exe)?)\s[^\n]{0,300}(%temp%|%tmp%|%appdata%|%localappdata%|%public%|%programdata%|\$env:temp|c:\\users\\public)\\?[^\s"'\n]{0,80}\.(exe|dll|scr|bat|vbs|js|ps1|hta)["']{0,2}\s[^\n]{0,60}https?:\/\// nocase
        $run = /\n\s{0,8}(@|start\s{1,3}((""|\/min|\/b|\/wait)\s{1,3}){0,3}|call\s{1,3}|cmd\s{1,3}\/c\s{1,3}|rundll32(\.exe)?\s{1,3}|wscript(\.exe)?\s{1,3})?["']?(%temp%|%tmp%|%appdata%|%localappdata%|%public%|%programdata%|c:\\users\\public)\\?[^\s"'\n]{0,80}\.(exe|dll|scr|bat|vbs|js|hta)/ nocase
        $hide = /(del|erase)\s{1,3}["']?%~f?0|attrib\s{1,3}\+[hs]|-w(indowstyle)?\s{1,2}h|>\s?nul/ nocase
    condition:
        filesize < 256KB and $echo and any of ($get*) and $run and $hide
}

rule Tocsin_Unix_Dropper_ArchitectureLoop
{
    meta:
        description = "Shell script that fetches one program after another for many processors and runs them"
        why = "The infection script of router and camera botnets"
        reference = "T1105"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $cd = /cd\s{1,3}\/tmp\s{0,3}(\|\||;)\s{0,3}cd\s{1,3}\/(var|mnt|root|dev|run)/
        $get = /(wget|curl|tftp|ftpget)\s[^\n]{0,120}(([0-9]{1,3}\.){3}[0-9]{1,3}|https?:\/\/)/
        $mod = /chmod\s{1,3}(\+x|[0-7]{0,1}777|a\+x|\+rwx)/
        $arch = /\b(mips|mipsel|mpsl|armv?[4-7]l?|arm[5-7]|ppc|powerpc|sh4|m68k|spc|sparc|i[56]86|x86(_64)?)\b/
        $rm = /rm\s{1,3}-(rf|f|r|fr)\b/
    condition:
        filesize < 128KB and $cd and $get and $mod and ($rm or #arch > 3) and uint32be(0) != 0x7f454c46
}

rule Tocsin_Unix_Dropper_DecodePipeShell
{
    meta:
        description = "Shell line that decodes a base64 text and pipes it into an interpreter"
        why = "Commands that must not be read before they run are commands nobody would allow"
        reference = "T1140"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /\becho\s{1,3}(-n\s{1,3})?["']?[A-Za-z0-9+\/]{60,20000}={0,2}["']?\s{0,3}\|\s{0,3}(base64|openssl\s{1,2}(enc\s{1,2}-)?base64)\s{1,3}(-d|-D|--decode|-di)\s{0,3}(\|\s{0,3}(gunzip|gzip\s{1,2}-d|zcat|xxd\s[^|\n]{0,12})\s{0,3})?\|\s{0,3}(sudo\s{1,2})?(nohup\s{1,2})?(\/bin\/)?(ba|da|z|k)?sh\b/
        $b = /\b(ba|da|z)?sh\s{1,2}(-c\s{1,2})?["']?(<<<\s?["']?|<\()?\$?\(?\s?echo\s{1,2}(-n\s{1,2})?["']?[A-Za-z0-9+\/]{60,20000}={0,2}["']?\s{0,3}\|\s{0,3}base64\s{1,2}(-d|-D|--decode)/
        $c = /\beval\s{1,3}["']?[$`]\(?\s?echo\s{1,2}(-n\s{1,2})?["']?[A-Za-z0-9+\/]{60,20000}={0,2}["']?\s{0,3}\|\s{0,3}base64\s{1,2}(-d|-D|--decode)/
        $p = /\becho\s{1,3}(-n\s{1,3})?["']?[A-Za-z0-9+\/]{60,20000}={0,2}["']?\s{0,3}\|\s{0,3}base64\s{1,3}(-d|-D|--decode)\s{0,3}\|\s{0,3}(python[23]?|perl|ruby|node)\b/
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Unix_Dropper_HiddenTempRun
{
    meta:
        description = "Shell line that fetches a file from a bare address to /tmp, marks it and runs it"
        why = "Unverified program from a numbered host, run from a folder that is wiped: a dropper"
        reference = "T1105"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(wget|curl)\s[^\n]{0,120}https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}[^\n]{0,160}[;&\n]{1,3}\s{0,8}chmod\s{1,3}(\+x|[0-7]{0,1}7[0-7]{2}|u\+x|a\+x)\s{1,3}[^\n;&]{1,80}[;&\n]{1,3}\s{0,8}(nohup\s{1,2}|sudo\s{1,2}|setsid\s{1,2})?(\.\/|\/tmp\/|\/dev\/shm\/|\/var\/tmp\/|"?\$)/
        $b = /(wget|curl)\s[^\n|]{0,120}https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}(:[0-9]{1,5})?\/[^\n|]{0,120}\|\s{0,3}(sudo\s{1,2})?(ba|da)?sh\b/
    condition:
        filesize < 512KB and any of them and uint32be(0) != 0x7f454c46
}

rule Tocsin_Python_Dropper_ExecDecoded
{
    meta:
        description = "Python that executes code it decodes from base64, zlib or marshal, or downloads"
        why = "The code that runs is not the code one reads: a loader for what is hidden"
        reference = "T1027.010"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $b64 = /\bexec\s?\(\s?(compile\s?\(\s?)?((zlib|gzip|lzma|bz2|marshal|codecs)\.(decompress|loads|decode)\s?\(\s?){0,3}(base64|__import__\(\s?['"]base64['"]\s?\))\.(b64decode|b32decode|b85decode|a85decode|b16decode)\s?\(\s?(b?['"][A-Za-z0-9+\/=]{40}|[a-z_]{1,20}\s?[\[)])/
        $zlib = /\bexec\s?\(\s?((zlib|__import__\(\s?['"]zlib['"]\s?\)|marshal|__import__\(\s?['"]marshal['"]\s?\))\.(decompress|loads)\s?\(\s?){1,3}(base64\.b64decode\s?\(\s?)?b?['"]/
        $lambda = /\bexec\s?\(\s?\(\s?_\s?\)\s?\(\s?b?['"]|_\s?=\s?lambda\s?__\s?:\s?__import__\(\s?['"]zlib['"]\s?\)\.decompress/
        $net = /\b(exec|eval)\s?\(\s?(compile\s?\(\s?)?(urllib\.request\.|urllib2\.|request\.|__import__\([^)]{1,30}\)\.(request\.)?)?(urlopen|requests\.get|httpx\.get)\s?\([^\n]{3,160}\)\s?\.\s?(read\s?\(\s?\)|text|content)/
        $net2 = /\b(exec|eval)\s?\(\s?requests\.get\s?\([^\n]{3,160}\)\s?\.\s?(text|content)/
        $fernet = /\bexec\s?\(\s?(Fernet|fernet\.Fernet)\s?\([^\n]{10,120}\)\.decrypt\s?\(/
    condition:
        filesize < 5MB and any of them
}

rule Tocsin_HTML_Smuggling_EmbeddedArchive
{
    meta:
        description = "Page that builds a file from base64 inside itself and saves it to disk"
        why = "Carries an archive, disk image or program past mail and proxy filters"
        reference = "T1027.006"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $data = /["'`](UEsDB[A-Za-z0-9+\/]{200}|TVqQAAMA[A-Za-z0-9+\/]{200}|TVpQAAIA[A-Za-z0-9+\/]{200}|UmFyIRoH[A-Za-z0-9+\/]{200}|N3q8ryc[A-Za-z0-9+\/]{200}|TVNDRg[A-Za-z0-9+\/]{200}|TAAAAAEUAgA[A-Za-z0-9+\/]{100})/
        $iso = /["'`]A{600}/
        $decode = /\batob\s?\(|fromCharCode|Uint8Array/
        $save1 = "createObjectURL" nocase
        $save2 = "msSaveOrOpenBlob" nocase
        $save3 = "msSaveBlob" nocase
        $save4 = /href\s?=\s?["']data:application\/(octet-stream|zip|x-iso9660-image|x-zip-compressed);base64/ nocase
        $click = /\.click\s?\(\s?\)|msSave(OrOpen)?Blob\s?\(|location(\.href)?\s?=/ nocase
        $name = /\.download\s?=|setAttribute\s?\(\s?['"]download|msSave(OrOpen)?Blob\s?\([^,\n]{1,60},|download\s?=\s?["'][^"'\n]{1,80}\.(zip|iso|img|exe|rar|7z|vhd|hta|js|lnk)/ nocase
        $page = /<(html|script|body|svg|!doctype)/ nocase
    condition:
        filesize < 30MB and $page and any of ($data, $iso) and $decode and any of ($save*) and $click and $name
}

rule Tocsin_SVG_Smuggling_Script
{
    meta:
        description = "SVG picture whose script decodes data and saves a file or leaves for another page"
        why = "Mail filters pass pictures; this one acts as a dropper or a phishing page"
        reference = "T1027.006"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $svg = /<svg\b/ nocase
        $script = /<script\b|onload\s?=\s?["']/ nocase
        $decode = /\batob\s?\(|fromCharCode\s?\(|decodeURIComponent\s?\(\s?escape|unescape\s?\(/ nocase
        $act = /createObjectURL|\.download\s?=|(window|document|top|self|parent)(\[["']|\.)location(["']\])?(\.href|\.replace|\.assign)?\s?[=(]|new\s{1,2}Function\s?\(|\beval\s?\(/ nocase
        $html = /<(html|head|body)\b/ nocase
    condition:
        filesize < 5MB and $svg in (0..4096) and $script and $decode and $act and not $html
}

rule Tocsin_Any_Dropper_ScriptWithProgram
{
    meta:
        description = "Script that carries a Windows program in base64 and a way to start it"
        why = "A program hidden as text inside a script: a dropper"
        reference = "T1027.009"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $pe = /["'\s(](TVqQAAMAAAAEAAAA|TVpQAAIAAAAEAA8A|TVqAAAEAAAAEABAA|TVoAAAAAAAAAAAAA)[A-Za-z0-9+\/=]{100}/
        $rev = /[A-Za-z0-9+\/]{40}AAAAEAAAAMAAQq[V]T["'\s]/
        $dec = /frombase64string|bin\.base64|certutil[^\n]{0,20}-decode|b64decode|base64\s{1,2}(-d|--decode)|strreverse/ nocase
        $run = /\biex\b|invoke-expression|reflection\.assembly|start-process|wscript\.shell|shell\.application|\.run\b|subprocess|os\.startfile|createprocess|shellexecute|\nstart\s/ nocase
    condition:
        filesize < 30MB and uint16be(0) != 0x4d5a and uint32be(0) != 0x7f454c46 and
        any of ($pe, $rev) and $dec and $run
}
