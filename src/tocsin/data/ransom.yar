/*
  Extortion and destruction: ransom notes, the commands that take away a way back, and wipers.
*/

rule Tocsin_Any_Ransom_NotePayment
{
    meta:
        description = "Text that says files were encrypted and asks for payment over Tor or in coins"
        why = "A ransom note: the encryption has already happened on the machine where it lies"
        reference = "T1486"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $enc = /(all\s{1,3}(of\s{1,3})?)?your\s{1,3}(important\s{1,3}|personal\s{1,3}|company\s{1,3}|corporate\s{1,3})?(files|documents|data|network|servers|databases)[^.\n]{0,80}\s(has|have|had|was|were|are|is)\s{1,3}(been\s{1,3})?(fully\s{1,3}|all\s{1,3}|now\s{1,3})?(encrypted|locked)/ nocase
        $pay = /(bitcoin|\bbtc\b|monero|\bxmr\b|decryption\s{1,3}(tool|key|software)|private\s{1,3}key|decryptor)/ nocase
        $onion = /\b([a-z2-7]{16}|[a-z2-7]{56})\.onion\b/ nocase
        $wallet = /\b(bc1q[02-9ac-hj-np-z]{38,58}|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93})\b/
        $id = /(your|personal|unique|victim|client)\s{1,3}(personal\s{1,3})?(id|key|code)\s{0,3}[:=]\s{0,4}[A-Za-z0-9+\/-]{8}/ nocase
        $mail = /[a-z0-9._-]{2,40}@(proton(mail)?\.(com|me)|onionmail\.(org|com)|tutanota\.com|tuta\.io|cock\.li|aol\.com|airmail\.cc|mailfence\.com)/ nocase
    condition:
        filesize < 128KB and $enc and $pay and any of ($onion, $wallet, $id, $mail)
}

rule Tocsin_Any_Ransom_NoteLeakThreat
{
    meta:
        description = "Text that threatens to publish stolen data unless the victim makes contact"
        why = "A note of double extortion"
        reference = "T1657"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $stole = /(we\s{1,3}(have\s{1,3})?(also\s{1,3})?(downloaded|exfiltrated|stolen|copied|taken)|(data|files)[^.\n]{0,60}(was|were|been|are)\s{1,3}(also\s{1,3})?(stolen|exfiltrated|downloaded))/ nocase
        $leak = /(will\s{1,3}be|be)\s{1,3}(published|leaked|sold|posted|disclosed)|we\s{1,3}will\s{1,3}(publish|leak|sell|post|disclose)|leak\s{1,3}(site|blog)/ nocase
        $enc = /\bencrypted\b|\bdecrypt/ nocase
        $tox = /\b[0-9A-F]{76}\b/
        $onion = /\b([a-z2-7]{16}|[a-z2-7]{56})\.onion\b/ nocase
        $mail = /[a-z0-9._-]{2,40}@(proton(mail)?\.(com|me)|onionmail\.(org|com)|tutanota\.com|cock\.li)/ nocase
    condition:
        filesize < 64KB and $stole and $leak and $enc and any of ($tox, $onion, $mail)
}

rule Tocsin_Any_Ransom_NoteWarnings
{
    meta:
        description = "Text with the typical warnings of ransom notes on renaming and third-party tools"
        why = "Only the one who encrypted the files writes so to their owner"
        reference = "T1486"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $w1 = /do\s?n[o']t\s{1,3}(try\s{1,3}to\s{1,3})?(rename|modify|move|delete)[^.\n]{0,30}(encrypted|locked|\.[a-z0-9]{3,12})\s{0,3}files?/ nocase
        $w2 = /do\s?n[o']t\s{1,3}(try\s{1,3}to\s{1,3})?(decrypt|recover|restore)[^.\n]{0,60}(third[- ]party|yourself|other\s{1,3}software|public)/ nocase
        $w3 = /(permanent|irreversible)(ly)?\s{1,3}(data\s{1,3})?(loss|damage|corrupt)/ nocase
        $w4 = /do\s?n[o']t\s{1,3}(contact|call|go\s{1,3}to|inform|hire)[^.\n]{0,40}(police|fbi|law\s{1,3}enforcement|authorities|recovery\s{1,3}compan|negotiator)/ nocase
        $w5 = /(decrypt|restore|send)[^.\n]{0,40}(1|2|3|one|two|three|several|few)\s{1,3}(small\s{1,3}|test\s{1,3}|random\s{1,3})?files?[^.\n]{0,40}(free|guarantee|proof)/ nocase
        $w6 = /tor\s{1,3}browser/ nocase
        $enc = /\b(encrypted|decryptor|decryption)\b/ nocase
    condition:
        filesize < 64KB and $enc and 4 of ($w*)
}

rule Tocsin_Win_Ransom_ShadowCopyDelete
{
    meta:
        description = "Script or program that quietly deletes shadow copies and other ways to recover"
        why = "The step of ransomware before encryption: no restore point is left"
        reference = "T1490"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a1 = /vssadmin(\.exe)?\s{1,3}delete\s{1,3}shadows\s{1,3}[^\n]{0,20}\/all/ ascii wide nocase
        $a2 = /wmic(\.exe)?\s{1,3}shadowcopy\s{1,3}delete/ ascii wide nocase
        $a3 = /bcdedit(\.exe)?\s{1,3}\/set\s{1,3}["']?(\{default\}|\{current\})?["']?\s{0,3}recoveryenabled\s{1,3}no/ ascii wide nocase
        $a4 = /bcdedit(\.exe)?\s{1,3}\/set\s{1,3}["']?(\{default\}|\{current\})?["']?\s{0,3}bootstatuspolicy\s{1,3}ignoreallfailures/ ascii wide nocase
        $a5 = /wbadmin(\.exe)?\s{1,3}delete\s{1,3}(catalog|systemstatebackup|backup)\b/ ascii wide nocase
        $a6 = /vssadmin(\.exe)?\s{1,3}resize\s{1,3}shadowstorage[^\n]{0,60}maxsize\s?=\s?(401MB|unbounded|320MB)/ ascii wide nocase
        $a7 = /win32_shadowcopy[^\n]{0,80}(\.delete\s?\(|remove-(wmi|cim)(object|instance))/ ascii wide nocase
        $a8 = /cipher(\.exe)?\s{1,3}\/w:c/ ascii wide nocase
    condition:
        filesize < 20MB and 2 of them
}

rule Tocsin_Win_AntiForensics_ClearEventLogs
{
    meta:
        description = "Script that clears all Windows event logs or the change journal"
        why = "Destroys the record of what was done on the machine"
        reference = "T1070.001"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $each = /wevtutil(\.exe)?\s{1,3}(el|enum-logs)\b[^\n]{0,120}wevtutil(\.exe)?\s{1,3}(cl|clear-log)\s/ nocase
        $cl = /wevtutil(\.exe)?\s{1,3}(cl|clear-log)\s{1,3}["']?(security|system|application|windows powershell|microsoft-windows-)/ nocase
        $usn = /fsutil(\.exe)?\s{1,3}usn\s{1,3}deletejournal\s/ nocase
        $ps = /get-(win)?event(log)?\s[^\n]{0,60}\|[^\n]{0,80}(clear-eventlog|\.clearlog\s?\(|wevtutil)/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and
        (any of ($each, $ps) or #cl > 2 or ($usn and $cl))
}

rule Tocsin_Esxi_Ransom_KillMachines
{
    meta:
        description = "Script that kills all virtual machines of an ESXi host and works on their disks"
        why = "Ransomware stops the guests so that it can encrypt their disks"
        reference = "T1486"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $k1 = /esxcli\s{1,3}(--formatter=\S{1,20}\s{1,3})?vm\s{1,3}process\s{1,3}(kill|list)/
        $k2 = /vim-cmd\s{1,3}vmsvc\/(getallvms|power\.off|snapshot\.removeall)/
        $force = /(--type|-t)[= ]\s?force|power\.off|removeall/
        $disk = /\.(vmdk|vmem|vmsn|vswp|vmxf)\b/
        $act = /chmod\s{1,3}\+x\s[^\n]{0,40}(encrypt|crypt|lock)|\bencrypt(or)?\b[^\n]{0,80}\/vmfs\/volumes|\/vmfs\/volumes[^\n]{0,120}(encrypt|openssl\s{1,2}(enc|rand)|crypt)/ nocase
    condition:
        filesize < 20MB and any of ($k1, $k2) and $force and $disk and $act
}

rule Tocsin_Unix_Wiper_RootDestruction
{
    meta:
        description = "Script that deletes the whole file system or overwrites disks without asking"
        why = "Destroys the machine it runs on"
        reference = "T1561"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $rm = /(^|[\n;&|({])\s{0,8}(sudo\s{1,2}|nohup\s{1,2})?rm\s{1,3}(-[rRfvi]{1,4}\s{1,3}){1,3}(--no-preserve-root\s{1,3}(-[rRfvi]{1,4}\s{1,3})?\/|\/\s{0,2}--no-preserve-root|\/\*?\s{0,3}(2>|>|&|;|\n))/
        $dd = /(^|[\n;&|({])\s{0,8}(sudo\s{1,2}|nohup\s{1,2})?dd\s{1,3}if=\/dev\/(zero|urandom|random)\s{1,3}of=("?\/dev\/("?\$\w{1,12}|(sd|hd|vd|xvd|nvme)[a-z0-9*]{1,6})|"?\$\{?(d|disk|dev|device|drive|hdd)\b)[^\n]{0,60}(&|\n|;|$)/
        $loop = /for\s{1,2}\w{1,12}\s{1,2}in\s[^\n]{0,60}(lsblk|\/dev\/(sd|nvme|vd|hd)|fdisk\s{1,2}-l|\/proc\/partitions)/
    condition:
        filesize < 64KB and uint16be(0) == 0x2321 and ($rm or ($dd and ($loop or #dd > 2)))
}

rule Tocsin_Unix_Wiper_ForkBomb
{
    meta:
        description = "Script that starts copies of itself without end"
        why = "Takes the machine down by using up its processes"
        reference = "T1499"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $colon = /(^|[\n;&])\s{0,8}:\s?\(\s?\)\s?\{\s?:\s?\|\s?:\s?&\s?\}\s?;\s?:/
        $named = /(^|\n)\s{0,4}(bomb|fork|forkbomb|f|b)\s?\(\s?\)\s?\{\s{0,6}(bomb|fork|forkbomb|f|b)\s?\|\s?(bomb|fork|forkbomb|f|b)\s?&\s{0,6}\}\s?;?\s{0,6}(bomb|fork|forkbomb|f|b)\b/
        $perl = /perl\s{1,2}-e\s{1,2}["']fork\s{1,2}while\s{1,2}fork/
        $batch = /^\s{0,4}(@echo\s{1,2}off\s{1,4})?:?\w{0,12}\s{0,4}(start\s{1,2}("[^"\n]{0,10}"\s{1,2})?)?["']?%~?0["']?\s?\|\s?["']?%~?0/ nocase
    condition:
        filesize < 4KB and any of them
}

rule Tocsin_Win_Wiper_DriveDestruction
{
    meta:
        description = "Batch or PowerShell that deletes a system drive or formats disks without asking"
        why = "Destroys the machine it runs on"
        reference = "T1485"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $del = /\b(del|erase)\s{1,3}(\/[fsqap]\S{0,3}\s{1,3}){2,4}["']?(c:|%systemdrive%|%systemroot%|c:\\windows(\\system32)?)\\?(\*\.\*|\*)?["']?\s{0,3}(>|&|\r|\n|$)/ nocase
        $rd = /\b(rd|rmdir)\s{1,3}(\/[sq]\s{1,3}){2}["']?(c:\\?|%systemdrive%\\?|c:\\windows(\\system32)?\\?|%systemroot%)["']?\s{0,3}(>|&|\r|\n|$)/ nocase
        $fmt = /\bformat\s{1,3}[c-z]:\s{1,3}[^\n]{0,30}\/(y|q)\s[^\n]{0,20}\/(q|y|x)\b/ nocase
        $raw = /\\\\\.\\physicaldrive[0-9][^\n]{0,160}(write|fill|0x00|new\s{1,2}byte|createfile|-bytes)/ nocase
        $clear = /clear-disk\s[^\n]{0,60}-removedata[^\n]{0,60}-confirm:\s?\$false/ nocase
        $echo = /echo\s{1,3}off|\$erroractionpreference|get-disk|for\s{1,2}%%|import\s{1,2}(os|ctypes)/ nocase
    condition:
        filesize < 128KB and uint16be(0) != 0x4d5a and
        $echo and (any of ($del, $rd) or #fmt > 1 or $raw or $clear)
}
