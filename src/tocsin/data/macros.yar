/*
  Documents that act when they are opened: macro source, fields, objects, notebooks.

  Macro rules read source text (exported modules, and what an engine unpacks from a project), so
  they ask for a procedure that runs by itself and for the way it leaves the document.
*/

rule Tocsin_Office_Macro_AutoRunProcess
{
    meta:
        description = "Macro that runs by itself on opening and starts a command interpreter"
        why = "A document has no reason to start cmd, PowerShell or a script host when opened"
        reference = "T1204.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $auto = /\bsub\s{1,4}(auto_?open|auto_?exec|auto_?close|auto_?new|document_(open|close|new|beforeclose)|workbook_(open|activate|beforeclose)|\w{1,30}_(painted|layout|gotfocus|mousehover))\s{0,3}\(/ nocase
        $vb = /attribute\s{1,3}vb_name|end\s{1,3}sub/ nocase
        $start = /\bshell\s{0,2}[("]|\bshell\s{1,3}\w{1,24}|wscript\.shell|shell\.application|shellexecute|win32_process|\.run\s{0,3}[("]|\.exec\s{0,3}[("]|createprocess|shell\$/ nocase
        $what = /powershell|cmd(\.exe)?\s{1,3}\/[ckv]|mshta|wscript(\.exe)?\s|cscript(\.exe)?\s|regsvr32|rundll32|certutil|bitsadmin|msiexec|\/bin\/(ba)?sh|osascript/ nocase
    condition:
        filesize < 5MB and all of them
}

rule Tocsin_Office_Macro_AutoRunDownload
{
    meta:
        description = "Macro that runs by itself on opening, downloads a file and starts it"
        why = "The document is a downloader for the real malware"
        reference = "T1105"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $auto = /\bsub\s{1,4}(auto_?open|auto_?exec|auto_?close|document_(open|close|new)|workbook_(open|activate|beforeclose))\s{0,3}\(/ nocase
        $get1 = /urldownloadtofile/ nocase
        $get2 = /(msxml2\.(server)?xmlhttp|winhttp\.winhttprequest|microsoft\.xmlhttp|internetexplorer\.application)/ nocase
        $save = /savetofile|adodb\.stream|open\s[^\n]{1,80}\sfor\s{1,3}binary|environ\s{0,2}\$?\(\s{0,2}["'](temp|tmp|appdata|public)/ nocase
        $run = /\bshell\s{0,2}[("]|\bshell\s{1,3}\w{1,24}|wscript\.shell|shell\.application|shellexecute|\.run\b|createobject\(/ nocase
    condition:
        filesize < 5MB and $auto and any of ($get*) and $save and $run
}

rule Tocsin_Office_Macro_AutoRunObfuscated
{
    meta:
        description = "Macro that runs by itself and builds its strings from characters or backwards"
        why = "An auto-run macro that hides what it says hides what it starts"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $auto = /\bsub\s{1,4}(auto_?open|auto_?exec|auto_?close|document_(open|close|new)|workbook_(open|activate|beforeclose))\s{0,3}\(/ nocase
        $chr = /(chrw?\$?\s{0,2}\(\s{0,2}(&h)?[0-9a-f]{1,5}([ +*^xor-]{1,6}[0-9]{1,5})?\s{0,2}\)\s{0,3}[&+]\s{0,3}(_\s{1,8})?){6}/ nocase
        $rev = /strreverse\s{0,2}\(\s{0,2}["'][^"'\n]{6,200}/ nocase
        $loop = /chrw?\$?\s{0,2}\([^\n]{0,60}\bxor\b|asc\s{0,2}\(\s{0,2}mid\$?\s{0,2}\([^\n]{0,80}(xor|-|\+)/ nocase
        $obj = /(createobject|getobject|callbyname|shell)\s{0,2}\(\s{0,2}(\w{1,30}\s{0,2}[\(&)]|chr|strreverse)/ nocase
    condition:
        filesize < 5MB and $auto and $obj and any of ($chr, $rev, $loop)
}

rule Tocsin_Office_Macro_AutoRunShellcode
{
    meta:
        description = "Macro that runs by itself and declares memory and thread functions of Windows"
        why = "Allocates memory, copies machine code there and runs it: an implant without a file"
        reference = "T1055"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $auto = /\bsub\s{1,4}(auto_?open|auto_?exec|document_(open|close|new)|workbook_(open|activate))\s{0,3}\(/ nocase
        $declare = /declare\s{1,3}(ptrsafe\s{1,3})?(function|sub)\s{1,3}\w{1,30}\s{1,3}lib\s{1,3}["'](kernel32|ntdll|user32)/ nocase
        $mem = /virtualalloc(ex)?|heapcreate|ntallocatevirtualmemory|virtualprotect/ nocase
        $copy = /rtlmovememory|writeprocessmemory|ntwritevirtualmemory/ nocase
        $go = /createthread|createremotethread|enumsystemlocales|enumdateformats|callwindowproc|queueuserapc|settimer|enumwindows/ nocase
    condition:
        filesize < 5MB and all of them
}

rule Tocsin_Office_Macro_CsvFormulaCommand
{
    meta:
        description = "Spreadsheet text whose cell formula starts a command through DDE"
        why = "Opening the table asks the spreadsheet program to run a command"
        reference = "T1559.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(^|[\n,;\t"])[=+@-][^\n,]{0,30}\b(cmd|msexcel|powershell|rundll32|mshta|regsvr32)\s{0,3}\|\s{0,3}['"]{1,2}[^'"\n]{1,300}['"]{1,2}\s{0,3}!\s{0,3}['"]?\$?[A-Za-z_]/ nocase
    condition:
        filesize < 5MB and $a and uint16be(0) != 0x4d5a and not uint16be(0) == 0x2321
}

rule Tocsin_Office_Field_DdeAuto
{
    meta:
        description = "Word field of type DDE or DDEAUTO that starts an interpreter"
        why = "Runs a command when the document's fields are updated, with no macro"
        reference = "T1559.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /\bddeauto\b[\s"\\]{1,8}[^\n]{0,60}(cmd(\.exe)?|powershell(\.exe)?|mshta|regsvr32|rundll32|wscript)/ nocase
        $w = /<w:instrText[^>]{0,80}>\s{0,3}DDE(AUTO)?\s[^<]{0,200}(cmd|powershell|mshta|regsvr32|rundll32|system32)/ nocase
        $q = /<w:instrText[^>]{0,80}>\s{0,3}DDE(AUTO)?\s{0,4}<\/w:instrText>[\s\S]{0,2000}QUOTE\s{1,3}([0-9]{2,3}\s{1,3}){8}/ nocase
        $doc = /w:document|\{\\rtf|w:body|xml version/ nocase
        $first = "DDEAUTO" nocase
    condition:
        filesize < 5MB and any of ($w, $q, $a) and $doc and $first
}

rule Tocsin_Office_Relationship_RemoteTemplate
{
    meta:
        description = "Office relationship part that loads a template or object from a bare address"
        why = "The document fetches its active content at opening, after it has passed the scanner"
        reference = "T1221"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $rels = "schemas.openxmlformats.org/package/2006/relationships"
        $a = /relationships\/(attachedTemplate|oleObject|frame|subDocument)"[^>]{0,40}Target="(mhtml:|https?:\/\/(([0-9]{1,3}\.){3}[0-9]{1,3}|[^"\/]{1,80}@)|[^"]{1,300}(\.dotm|\.hta|\.html!|!x-usc:))[^>]{0,300}TargetMode="External"/ nocase
        $b = /Target="(mhtml:|https?:\/\/([0-9]{1,3}\.){3}[0-9]{1,3}|[^"]{1,300}(\.dotm|\.hta|\.html!|!x-usc:))[^>]{0,300}relationships\/(attachedTemplate|oleObject|frame|subDocument)"/ nocase
    condition:
        filesize < 256KB and $rels and any of ($a, $b)
}

rule Tocsin_HTML_Exploit_MsdtProtocol
{
    meta:
        description = "Page that opens the ms-msdt protocol with a command in its parameters"
        why = "The diagnostic tool runs the command: code execution from a page or a document"
        reference = "CVE-2022-30190"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /ms-msdt:\s?-?\/?(id|-id|\/id)[^\n]{0,200}(IT_RebrowseForFile|IT_LaunchMethod|IT_BrowseForFile)[^\n]{0,300}\$\(/ nocase
        $b = /ms-msd[t]:[^\n]{0,400}(invoke-expression|iex|frombase64string|cmd\.exe|mpsigstub)/ nocase
    condition:
        filesize < 2MB and any of them and uint16be(0) != 0x4d5a
}

rule Tocsin_Office_OneNote_EmbeddedScript
{
    meta:
        description = "OneNote notebook that carries an HTA, batch, VBS or PowerShell program"
        why = "The reader is lured to double-click what looks like a button and is a program"
        reference = "T1204.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $blob = { e7 16 e3 bd 65 26 11 45 a4 c4 8d 4d 0b 7a 9e ac }
        $s1 = "<hta:application" nocase
        $s2 = "WScript.Shell" nocase
        $s3 = /powershell[^\n]{0,80}(-e|hidden|iex|http|bypass)/ nocase
        $s4 = "ActiveXObject" nocase
        $s5 = /@echo off[\s\S]{0,2000}(powershell|curl|certutil|bitsadmin|rundll32)/ nocase
    condition:
        uint32be(0) == 0xe4525c7b and uint32be(4) == 0x8cd8a74d and $blob and any of ($s*)
}

rule Tocsin_Mac_Macro_OsascriptDownload
{
    meta:
        description = "Office macro for macOS that runs a shell or Python download through MacScript"
        why = "The macOS side of a malicious document"
        reference = "T1059.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $auto = /\bsub\s{1,4}(auto_?open|document_open|workbook_open)\s{0,3}\(/ nocase
        $mac = /macscript\s{0,2}\(|applescripttask\s{0,2}\(|lib\s{1,3}["'](\/usr\/lib\/)?libc\.dylib["']\s{1,3}(alias\s{1,3}["'](popen|system)["'])?/ nocase
        $do = /do shell script|popen|system\s?\(/ nocase
        $net = /curl\s|python[23]?\s{1,3}-c|nscurl|https?:\/\// nocase
    condition:
        filesize < 5MB and all of them
}
