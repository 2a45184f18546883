/*
  PowerShell and the Windows command line as a way in: download cradles, encoded and hidden
  commands, blinded defences, code loaded in memory and the system tools abused to fetch and run.

  Administrators use every one of these tools.  The rules therefore ask for the way attackers
  combine them: hidden and encoded, fetched and run at once, from a bare address, into memory.
*/

rule Tocsin_PowerShell_Downloader_HiddenCradle
{
    meta:
        description = "PowerShell started with a hidden window that downloads a script and runs it"
        why = "Hiding the window while running code from the network is what intrusions do"
        reference = "T1059.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(powershell|pwsh)(\.exe)?["']?\s[^\n]{0,160}-w(i|in|ind|indo|indow|indows|indowst|indowstyle)?[\s:]{1,2}["']?(h|hi|hid|hidd|hidde|hidden|1)\b[^\n]{0,400}(downloadstring|downloaddata|downloadfile|invoke-webrequest|invoke-restmethod|\biwr\b|\birm\b|start-bitstransfer|openread|net\.webclient)/ nocase
        $b = /(powershell|pwsh)(\.exe)?["']?\s[^\n]{0,400}(downloadstring|downloaddata|\biwr\b|\birm\b|invoke-webrequest)[^\n]{0,200}-w(in|indowstyle)?\s{1,2}(h|hid|hidden|1)\b/ nocase
        $w = /p\x00o\x00w\x00e\x00r\x00s\x00h\x00e\x00l\x00l\x00[^\n]{0,320}-\x00w\x00[^\n]{0,40}h\x00i\x00d\x00[^\n]{0,600}(d\x00o\x00w\x00n\x00l\x00o\x00a\x00d\x00|i\x00w\x00r\x00 \x00|i\x00r\x00m\x00 \x00)/ nocase
    condition:
        filesize < 5MB and any of them and uint16be(0) != 0x4d5a and uint32be(0) != 0x7f454c46
}

rule Tocsin_PowerShell_Downloader_CradleBareAddress
{
    meta:
        description = "PowerShell that runs a script fetched from a bare IP address or a paste site"
        why = "Honest installers live at named hosts; a script run from a number or a paste does not"
        reference = "T1105"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /\b(iex|invoke-expression)\b[^\n]{0,120}(downloadstring|iwr|irm|invoke-webrequest|invoke-restmethod|curl|wget)[^\n]{0,40}(https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}|https?:\/\/(www\.)?(pastebin\.com\/raw|paste\.ee\/r|hastebin\.com\/raw|rentry\.co\/[^\s\/]{1,30}\/raw|transfer\.sh|cdn\.discordapp\.com\/attachments|[a-z0-9-]{1,60}\.(trycloudflare\.com|ngrok\.io|ngrok-free\.app)))/ nocase
        $b = /(downloadstring|iwr|irm|invoke-webrequest|invoke-restmethod)[^\n]{0,40}(https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}|https?:\/\/(www\.)?(pastebin\.com\/raw|paste\.ee\/r|hastebin\.com\/raw|rentry\.co\/[^\s\/]{1,30}\/raw|transfer\.sh|cdn\.discordapp\.com\/attachments|[a-z0-9-]{1,60}\.(trycloudflare\.com|ngrok\.io|ngrok-free\.app)))[^\n|]{0,120}\|\s{0,3}(iex|invoke-expression|&\s?\(?['"]?iex)\b/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_PowerShell_Obfuscation_EncodedHidden
{
    meta:
        description = "PowerShell given a base64 command while its window is hidden"
        why = "The command cannot be read and its window cannot be seen: made for nobody to notice"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(powershell|pwsh)(\.exe)?["']?\s[^\n]{0,160}-w(i|in|ind|indow|indowstyle)?[\s:]{1,3}["']?(h|hi|hid|hidden|1)\b["']?[^\n]{0,120}\s-e(c|n|nc|nco|ncod|ncoded|ncodedc|ncodedcommand)?\s{1,3}["']?[A-Za-z0-9+\/]{40}/ nocase
        $b = /(powershell|pwsh)(\.exe)?["']?\s[^\n]{0,160}\s-e(c|n|nc|nco|ncod|ncoded|ncodedc|ncodedcommand)?\s{1,3}["']?[A-Za-z0-9+\/=]{40,9000}["']?\s{1,3}[^\n]{0,60}-w(i|in|ind|indow|indowstyle)?[\s:]{1,3}(h|hi|hid|hidden|1)\b/ nocase
    condition:
        filesize < 5MB and any of them
}

rule Tocsin_PowerShell_Obfuscation_EncodedCradle
{
    meta:
        description = "base64 of UTF-16 PowerShell that downloads, decodes or evaluates code"
        why = "The encoded form of a cradle; the plain form of the same words is not found by this"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $ps = "powershell" ascii wide nocase
        $b1 = "DownloadString" wide base64
        $b2 = "Net.WebClient" wide base64
        $b3 = "Invoke-Expression" wide base64
        $b4 = "FromBase64String" wide base64
        $b5 = "Net.Sockets.TCPClient" wide base64
        $b6 = "IO.MemoryStream" wide base64
        $b7 = "AmsiUtils" wide base64
        $b8 = "Invoke-WebRequest" wide base64
        $b9 = "DownloadFile" wide base64
        $flag = /-e(c|n|nc|nco|ncod|ncoded|ncodedc|ncodedcommand)?\s{1,3}["']?[A-Za-z0-9+\/]{20}/ nocase
        $flagw = { 2d 00 (45|65) 00 (4e|6e) 00 (43|63) 00 }
    condition:
        filesize < 5MB and $ps and any of ($flag, $flagw) and any of ($b*)
}

rule Tocsin_PowerShell_Obfuscation_ReversedOrChar
{
    meta:
        description = "PowerShell that rebuilds commands from reversed text or character numbers"
        why = "Nobody writes code backwards or letter by letter except to hide it"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $r1 = /gnirtsdao[l]nwod/ nocase
        $r2 = /tneilcbew\.[t]en/ nocase
        $r3 = /noisserpxe-[e]kovni/ nocase
        $r4 = /llehs[r]ewop/ nocase
        $rev = /\[array\]::reverse|\[-1\s?\.\.\s?-|-join|\[::-1\]|strreverse|\.reverse\(\)/ nocase
        $chars = /(\[char\]\s?\(?(0x[0-9a-f]{2}|[0-9]{2,3})\)?\s?[+,]\s?){12}/ nocase
        $numbers = /\(\s?["']([0-9]{2,3}[,. _~]){40}/
        $split = /["']\s?-split[^\n]{0,80}\[char\]/ nocase
        $tick = /\bi`?e`x\b|\bi`e`?x\b|\b(d`?o`?w`n|n`e`?w-o`?b`?j|i`n`?v`?o`?k`?e)[a-z`-]{3,20}/ nocase
        $run = /\b(iex|invoke-expression|invoke-command|\.invoke\(|-enc|scriptblock)\b|\.\s?\(\s?\$(env:comspec|pshome|shellid)\[/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and
        (
            (any of ($r1, $r2, $r3, $r4) and $rev) or
            (($chars or ($numbers and $split)) and $run) or
            #tick > 1
        )
}

rule Tocsin_PowerShell_Evasion_AmsiBypass
{
    meta:
        description = "Script that switches off or patches the Antimalware Scan Interface"
        why = "Blinds the machine's virus protection before running something it would stop"
        reference = "T1562.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $u = "AmsiUtils" ascii wide nocase
        $f1 = "amsiInitFailed" ascii wide nocase
        $f2 = "amsiContext" ascii wide nocase
        $f3 = "amsiSession" ascii wide nocase
        $set = /\.SetValue\s?\(|GetField\s?\(|WriteInt(32|Ptr)/ ascii wide nocase
        $split = /['"]a?m?si?u?['"]\s?\+\s?['"]t?ils['"]|['"]am['"]\s?\+\s?['"]si|['"]amsi['"]\s?\+\s?['"](utils|init|scan|context)/ nocase
        $scan = /amsi(\.dll)?["'][^\n]{0,200}amsiscanbuffer|amsiscanbuffer/ nocase
        $patch = /0xb8\s?,\s?0x57\s?,\s?0x00\s?,\s?0x07\s?,\s?0x80|virtualprotect/ nocase
        $copy = /\[(system\.)?runtime\.interopservices\.marshal\]::copy/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and
        (
            ($u and any of ($f*) and $set) or
            ($split and $set) or
            ($scan and $patch and $copy)
        )
}

rule Tocsin_PowerShell_Loader_ReflectiveAssembly
{
    meta:
        description = "PowerShell that loads a .NET assembly from base64 or the network in memory"
        why = "Runs a program without a file, which is how scanners of files are passed by"
        reference = "T1620"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $direct = /\[(system\.)?reflection\.assembly\]::load\s?\(\s?\[?(system\.)?(convert\]::frombase64string|\(?new-object\s{1,3}(system\.)?net\.webclient\)?\.downloaddata)/ nocase
        $load = /\[(system\.)?(reflection\.assembly|appdomain\]::currentdomain)(\]::|\.)load\s?\(\s?\$/ nocase
        $src = /frombase64string\s?\(|\.downloaddata\s?\(|-bxor|gzipstream|createdecryptor/ nocase
        $call = /\.entrypoint\.invoke|\.gettype\s?\([^)\n]{1,80}\)\.getmethod\s?\([^)\n]{1,60}\)\.invoke|\.getmethod\s?\([^)\n]{1,60}\)/ nocase
    condition:
        filesize < 20MB and uint16be(0) != 0x4d5a and ($direct or ($load and $src and $call))
}

rule Tocsin_PowerShell_Loader_ShellcodeRunner
{
    meta:
        description = "PowerShell that puts bytes in executable memory and starts them as a thread"
        why = "Runs raw machine code from a script: a loader of implants"
        reference = "T1055"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $alloc = /virtualalloc(ex)?\b/ nocase
        $thread = /createthread|createremotethread|queueuserapc|enumsystemlocales|getdelegateforfunctionpointer/ nocase
        $bytes = /\[byte\[\]\]\s?\$?\w{0,20}\s?=?\s?\(?\s?(0x[0-9a-f]{1,2}\s?,\s?){12}|\[byte\[\]\]\s?\$?\w{0,20}\s?=?\s?\[(system\.)?convert\]::frombase64string/ nocase
        $ps = /add-type|dllimport|definedynamicassembly|\[(system\.)?runtime\.interopservices/ nocase
    condition:
        filesize < 10MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_PowerShell_Loader_CompressedScript
{
    meta:
        description = "PowerShell that unpacks base64 gzip or deflate data and evaluates the result"
        why = "Hides a second script inside the first; the shape frameworks for intrusion generate"
        reference = "T1140"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $run = /\b(iex|invoke-expression)\b|\[scriptblock\]::create|\.\s?\(\s?\$env:comspec\[|&\s?\(\s?\[scriptblock\]/ nocase
        $zip = /(gzipstream|deflatestream)\s?\(?/ nocase
        $b64 = /\[(system\.)?convert\]::frombase64string\s?\(\s?\(?["'][A-Za-z0-9+\/]{40}/ nocase
        $read = /streamreader[^\n]{0,400}\.readtoend\s?\(/ nocase
    condition:
        filesize < 5MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_Win_LolBin_Certutil
{
    meta:
        description = "certutil used to fetch a file from the web, or to decode one into a program"
        why = "A certificate tool has no business downloading programs; attackers like that it can"
        reference = "T1105"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $fetch = /certutil(\.exe)?["']?\s{1,3}([\/-][a-z]{1,12}\s{1,3}){0,4}[\/-](urlcache|verifyctl)\s{1,3}([\/-][a-z]{1,12}\s{1,3}){0,4}["']?(https?|ftp):\/\/[^\s"']{4,200}["']?\s{1,3}\S/ nocase
        $decode = /certutil(\.exe)?["']?\s{1,3}([\/-]f\s{1,3})?[\/-]decode(hex)?\s{1,3}\S{1,120}\s{1,3}\S{1,120}\.(exe|dll|scr|bat|ps1|vbs|hta|js)\b/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Win_LolBin_Bitsadmin
{
    meta:
        description = "bitsadmin or Start-BitsTransfer fetching a program that is then started"
        why = "The background transfer service as a quiet downloader of malware"
        reference = "T1197"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /bitsadmin(\.exe)?["']?\s{1,3}\/transfer\s{1,3}[^\n]{1,80}https?:\/\/[^\s"']{4,200}\s{1,3}["']?[^\n]{1,120}\.(exe|dll|scr|bat|ps1|vbs|hta|js|cmd)["']?\s{0,3}(&|&&|;|\||\n|\r)[^\n]{0,20}\s{0,4}(start|cmd|call|powershell|wscript|rundll32|regsvr32|%temp%|%appdata%|c:\\)/ nocase
        $b = /bitsadmin(\.exe)?\s{1,3}\/setnotifycmdline\s{1,3}[^\n]{1,200}(powershell|cmd|regsvr32|rundll32|mshta|\.exe)/ nocase
        $c = /start-bitstransfer\s{1,3}[^\n]{0,40}https?:\/\/[^\n]{4,200}(\$env:temp|\$env:appdata|%temp%|%appdata%)[^\n]{0,80}\.(exe|dll|scr|ps1|vbs)["']?\s{0,4}[;\r\n&]{1,4}[^\n]{0,20}(start-process|saps|&|invoke-item)/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Win_LolBin_MshtaInline
{
    meta:
        description = "mshta given a web address or an inline script"
        why = "Runs script with full rights outside the browser, from the network or the command line"
        reference = "T1218.005"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $url = /\bmshta(\.exe)?["']?\s{1,4}["'\\]{0,2}(https?:\/\/|\\\\)[a-z0-9\[]/ nocase
        $inline = /\bmshta(\.exe)?["']?\s{1,4}["'\\]{0,3}(vbscript|javascript)\s?:\s?[^\n]{0,200}(execute|createobject|getobject|activexobject|eval|run)\b/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Win_LolBin_Regsvr32Scriptlet
{
    meta:
        description = "regsvr32 registering a scriptlet through scrobj.dll"
        why = "Runs a script from the network through a signed tool, past application control"
        reference = "T1218.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /regsvr32(\.exe)?["']?\s{1,4}([\/-][a-z]{1,2}\s{1,3}){0,5}[\/-]i\s?:\s?["']?[^\s"']{4,200}["']?\s{1,4}([\/-][a-z]{1,2}\s{1,3}){0,4}["']?(\S{1,60}\\)?scrobj(\.dll)?/ nocase
    condition:
        filesize < 2MB and $a
}

rule Tocsin_Win_LolBin_Rundll32Script
{
    meta:
        description = "rundll32 tricked into running JavaScript, or a DLL from a web share"
        why = "A signed tool as a script host: there is no honest use of that command line"
        reference = "T1218.011"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /rundll32(\.exe)?["']?\s{1,4}["']?(javascript|vbscript)\s?:/ nocase
        $b = /rundll32(\.exe)?["']?\s{1,4}["']?\\\\([0-9]{1,3}\.){3}[0-9]{1,3}(@(ssl@)?[0-9]{1,5})?\\[^\s,]{1,120},/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Win_LolBin_WmicRemoteFormat
{
    meta:
        description = "wmic given a remote style sheet, or starting a hidden PowerShell or script"
        why = "wmic runs script in the sheet: a way past application control"
        reference = "T1220"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /wmic(\.exe)?["']?\s{1,4}[^\n]{0,60}\/format\s?:\s?["']?(https?|ftp):\/\// nocase
        $b = /wmic(\.exe)?["']?\s{1,4}[^\n]{0,80}process\s{1,3}call\s{1,3}create\s{1,3}["'\\]{0,3}[^\n]{0,60}(powershell[^\n]{0,60}(-e|hidden|iex|http)|mshta|regsvr32|rundll32\s[^\n]{0,80}(temp|appdata|public))/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Win_LolBin_MsiexecBareAddress
{
    meta:
        description = "msiexec told to install quietly from a bare IP address"
        why = "A silent install from a number instead of a name is a download by malware"
        reference = "T1218.007"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /msiexec(\.exe)?["']?\s{1,4}[^\n]{0,40}[\/-](i|package)\s{0,3}["']?https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}[^\n]{0,120}[\/-]q/ nocase
        $b = /msiexec(\.exe)?["']?\s{1,4}[^\n]{0,40}[\/-]q[nb]?\s{1,3}[^\n]{0,30}[\/-](i|package)\s{0,3}["']?https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}/ nocase
    condition:
        filesize < 2MB and any of them
}

rule Tocsin_Win_Evasion_DefenderDisable
{
    meta:
        description = "Script that switches off Microsoft Defender or excludes whole drives from it"
        why = "Takes away the machine's protection, as the first step of an intrusion"
        reference = "T1562.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $p1 = /set-mppreference\s[^\n]{0,200}-disable(realtimemonitoring|behaviormonitoring|ioavprotection|scriptscanning|blockatfirstseen|intrusionpreventionsystem)\s{1,3}(\$true|1)\b/ nocase
        $p2 = /add-mppreference\s[^\n]{0,60}-exclusion(path|extension|process)\s{1,3}@?\(?["']?(c:\\?["'\s;)]|c:\\users\\?["'\s;)]|\$env:(temp|appdata|systemdrive|userprofile)|%temp%|%appdata%|\.?exe["'\s,]|c:\\programdata|powershell)/ nocase
        $r1 = /reg(\.exe)?\s{1,3}add\s[^\n]{0,120}windows defender[^\n]{0,80}\/v\s{1,3}["']?(disableantispyware|disableantivirus|disablerealtimemonitoring|disablebehaviormonitoring|tamperprotection)["']?[^\n]{0,60}\/d\s{1,3}["']?(1|0)/ nocase
        $s1 = /(sc|net)(\.exe)?\s{1,3}(stop|delete|config)\s{1,3}["']?(windefend|wdnissvc|sense|wscsvc)["']?/ nocase
        $s2 = /mpcmdrun(\.exe)?["']?\s{1,3}-removedefinitions\s{1,3}-all/ nocase
        $gpo = /(bcdedit|vssadmin|schtasks|powershell|start|curl|reg)(\.exe)?\s/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and
        ($r1 or $s2 or #p1 > 1 or ($p1 and any of ($p2, $s1, $gpo)) or ($p2 and $gpo) or #s1 > 1)
}

rule Tocsin_Win_Privilege_UacBypassRegistry
{
    meta:
        description = "Script that hijacks a registry handler used by an auto-elevating program"
        why = "Gains administrator rights without the prompt the user should see"
        reference = "T1548.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $key = /software\\{1,2}classes\\{1,2}(ms-settings|mscfile|exefile|appx82a6gwre4fdg3bt635tn5ctqjf8msdd2|folder)\\{1,2}shell\\{1,2}(open|runas)\\{1,2}command/ nocase
        $exe = /(fodhelper|computerdefaults|eventvwr|sdclt|slui|wsreset|compmgmtlauncher)(\.exe)?/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and $key and $exe
}
