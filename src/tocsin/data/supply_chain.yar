/*
  Supply chain: packages, projects and build files that act on whoever installs or opens them.
*/

rule Tocsin_NPM_SupplyChain_InstallFetchRun
{
    meta:
        description = "npm manifest whose install script fetches something and runs it"
        why = "Runs unseen code from the network on every machine that installs the package"
        reference = "T1195.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $name = /"(name|version)"\s?:\s?"/
        $a = /"(pre|post)?install"\s?:\s?"[^"\n]{0,120}\b(curl|wget)\b[^"\n]{0,200}(\||&&|;)\s{0,3}(sudo\s{1,2})?((ba|da|z)?sh\b|node\b|python3?\b|perl\b|chmod\s{1,2}\+?[x0-7])/
        $b = /"(pre|post)?install"\s?:\s?"[^"\n]{0,120}(powershell|pwsh)[^"\n]{0,200}(downloadstring|iwr|irm|invoke-webrequest|-enc|downloadfile)/ nocase
        $c = /"(pre|post)?install"\s?:\s?"[^"\n]{0,60}(ba)?sh\s{1,2}(-c\s)?[^"\n]{0,20}(<\(|\$\(|`)\s?(curl|wget)\s/
    condition:
        filesize < 256KB and $name and any of ($a, $b, $c)
}

rule Tocsin_NPM_SupplyChain_InstallInlineCode
{
    meta:
        description = "npm manifest whose install script runs inline JavaScript that spawns or connects"
        why = "Code hidden in the manifest's one line, run on every machine that installs"
        reference = "T1195.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $name = /"(name|version)"\s?:\s?"/
        $a = /"(pre|post)?install"\s?:\s?"[^\n]{0,60}node\s{1,2}(-e|--eval|-p)\s[^\n]{0,400}(child_process|https?['"\\]{0,2}\)?\.(get|request)|eval\s?\(|Buffer\.from\s?\([^\n]{1,4000}base64|process\.env|os['"\\]{0,2}\)\.hostname)/
        $b = /"(pre|post)?install"\s?:\s?"[^"\n]{0,200}(nslookup|dig\s|ping\s|curl\s|wget\s)[^"\n]{0,120}(\$\(|`)(whoami|hostname|id|pwd|env|uname)/
    condition:
        filesize < 256KB and $name and any of ($a, $b)
}

rule Tocsin_JS_SupplyChain_HostInventoryExfil
{
    meta:
        description = "Node.js script that sends host facts or the environment to a request catcher"
        why = "Takes secrets from build machines; the receivers are made for catching such data"
        reference = "T1195.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $facts = /os\.(hostname|userInfo|homedir|networkInterfaces)\s?\(|JSON\.stringify\s?\(\s?process\.env|process\.env\b/
        $send = /https?["']?\)?\.(request|get)\s?\(|\bfetch\s?\(|axios(\.post|\.get)?\s?\(|dns\.(lookup|resolve)|hostname\s?:/
        $where = /\b[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){0,4}\.(oast\.(fun|pro|live|me|online|site)|oastify\.com|interact\.sh|burpcollaborator\.net|m\.pipedream\.net|requestcatcher\.com|dnslog\.cn|ceye\.io|canarytokens\.com|eo[a-z0-9]{4,20}\.x\.pipedream\.net)|webhook\.site\/[0-9a-f]{8}-/
        $node = /require\s?\(\s?["'](node:)?(os|https?|dns|child_process)["']/
    condition:
        filesize < 512KB and all of them
}

rule Tocsin_JS_SupplyChain_TokenWorm
{
    meta:
        description = "Script that hunts for npm and GitHub tokens and publishes packages with them"
        why = "Spreads from the packages of one maintainer to the next"
        reference = "T1195.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $t1 = "NPM_TOKEN"
        $t2 = /registry\.npmjs\.org\/:_authToken|\.npmrc/
        $t3 = /GITHUB_TOKEN|gh\s{1,2}auth\s{1,2}token|ghp_\[|\bghp_\w/
        $scan = /trufflehog|gitleaks|AKIA\[|169\.254\.169\.254/ nocase
        $pub = /npm\s{1,2}publish|\/-\/whoami|"npm"\s?,\s?\[\s?"publish"/
        $leak = /\/user\/repos|createForAuthenticatedUser|webhook\.site|\/actions\/secrets|gh\s{1,2}repo\s{1,2}create/
    condition:
        filesize < 20MB and uint32be(0) != 0x7f454c46 and uint16be(0) != 0x4d5a and
        2 of ($t*) and $scan and $pub and $leak
}

rule Tocsin_JS_SupplyChain_ObfuscatedSpawner
{
    meta:
        description = "JavaScript run through an identifier-mangling obfuscator that starts processes"
        why = "Library code is published readable or minified; this form hides what it runs"
        reference = "T1027"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $hex = /\b_0x[0-9a-f]{4,6}\b/
        $rot = /while\s?\(\s?!!\[\]\s?\)|\['push'\]\(_0x[0-9a-f]{4,6}\['shift'\]\(\)\)/
        $cp = "child_process"
        $act = /execSync|spawn|homedir|hostname|Login Data|\.ssh|wallet/ nocase
    condition:
        filesize < 5MB and $cp and $rot and $act and #hex > 30
}

rule Tocsin_JS_SupplyChain_InvisibleCode
{
    meta:
        description = "JavaScript that decodes and evaluates text written in invisible characters"
        why = "The program cannot be seen in an editor or a review"
        reference = "T1027"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $vs = { f3 a0 84 ?? f3 a0 (84|85|86|87) ?? f3 a0 (84|85|86|87) ?? f3 a0 (84|85|86|87) ?? }
        $fe = { ef b8 (80|81|82|83|84|85|86|87|88|89|8a|8b|8c|8d|8e|8f) ef b8 8? ef b8 8? ef b8 8? ef b8 8? }
        $hangul = { ef be a0 e3 85 a4 ef be a0 (ef be a0|e3 85 a4) (ef be a0|e3 85 a4) }
        $run = /\beval\s?\(|new\s{1,2}Function\s?\(|Function\s?\(|\["constructor"\]|new\s{1,2}Proxy\s?\(/
        $code = /codePointAt|charCodeAt|\.replace\s?\(|with\s?\(\s?new/
    condition:
        filesize < 10MB and $run and $code and (#vs > 4 or #fe > 4 or #hangul > 4)
}

rule Tocsin_Python_SupplyChain_SetupFetchRun
{
    meta:
        description = "setup.py that downloads or decodes code and executes it at install time"
        why = "Runs unseen code on every machine that installs the package"
        reference = "T1195.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $setup = /(from|import)\s{1,2}(setuptools|distutils)/
        $call = /\bsetup\s?\(/
        $exec = /\b(exec|eval)\s?\(\s?(compile\s?\(\s?)?((__import__\(\s?['"]\w{2,10}['"]\s?\)|base64|zlib|marshal|urllib\.request|urllib2|requests|codecs|Fernet\([^)\n]{1,80}\))\.(b64decode|decompress|loads|urlopen|get|decode|decrypt)|urlopen|b64decode)\s?\(/
        $sys = /(os\.system|os\.popen|subprocess\.(Popen|run|call|check_call|check_output))\s?\(\s?\[?\s?f?["'][^\n]{0,100}((curl|wget)\s[^\n]{4,200}(\||&&|;)\s?(sudo\s)?(ba)?sh|powershell[^\n]{0,100}(-enc|hidden|downloadstring|iwr|irm)|mshta\s{1,2}http|(curl|wget)[^\n]{4,200}chmod)/ nocase
        $get = /urlretrieve\s?\([^\n]{4,200}\.(exe|dll|scr|bat|ps1|sh|elf)['"]/
        $start = /(os\.startfile|subprocess\.(Popen|run|call)|os\.system)\s?\(/
    condition:
        filesize < 512KB and $setup and $call and
        (any of ($exec, $sys) or ($get and $start))
}

rule Tocsin_Python_SupplyChain_PthExec
{
    meta:
        description = "Python .pth line that decodes, downloads or starts something at every start"
        why = "Runs each time any Python program starts, without being imported"
        reference = "T1546.018"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $line = /(^|\n)import[ \t]{1,2}[^\n]{0,300};[^\n]{0,300}(exec|eval)\s?\([^\n]{0,80}(b64decode|urlopen|decompress|marshal|fromhex)/
        $proc = /(^|\n)import[ \t]{1,2}[^\n]{0,200};\s?[^\n]{0,100}(subprocess\.(Popen|run|call)|os\.(system|popen)|pty\.spawn)\s?\([^\n]{0,200}(python|curl|wget|sh\b|powershell|base64)/
        $def = /\n\s{0,4}(def|class|if|for|try|with)\s/
    condition:
        filesize < 256KB and uint32be(0) == 0x696d706f and any of ($line, $proc) and not $def
}

rule Tocsin_CI_SupplyChain_WorkflowSecretLeak
{
    meta:
        description = "CI workflow that sends all repository secrets to a host on the network"
        why = "Steals the deployment keys of the project"
        reference = "T1552"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $yaml = /\bruns-on\s?:|\bjobs\s?:/
        $all = /\$\{\{\s{0,3}toJSON\s?\(\s?secrets\s?\)\s{0,3}\}\}/ nocase
        $send = /(curl|wget|invoke-webrequest|nc)\s[^\n]{0,200}(https?:\/\/|-d|--data|--post-data|@-)|webhook\.site|base64\s{1,2}-w\s?0\s{0,2}\|\s{0,2}base64/ nocase
    condition:
        filesize < 256KB and all of them
}

rule Tocsin_VSCode_SupplyChain_FolderOpenTask
{
    meta:
        description = "Editor task that runs a download on opening the folder"
        why = "Opening a stranger's project is enough to run the attacker's command"
        reference = "T1204.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $on = /"runOn"\s?:\s?"folderOpen"/
        $cmd = /"command"\s?:\s?"[^\n]{0,200}((curl|wget)\s[^\n]{4,300}\|\s?(sudo\s)?((ba|z)?sh|cmd|node|python3?)\b|powershell[^\n]{0,200}(-enc|hidden|iwr|irm|downloadstring)|mshta\s)/ nocase
    condition:
        filesize < 256KB and all of them
}

rule Tocsin_Ruby_SupplyChain_GemInstallRun
{
    meta:
        description = "Gem build file that fetches a program and runs it when the gem is installed"
        why = "Runs unseen code on every machine that installs the gem"
        reference = "T1195.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $gem = /Gem::Specification\.new|require\s?\(?\s?["']mkmf["']|create_makefile/
        $sys = /(system|exec|`|%x[\[({]|IO\.popen)\s?\(?\s?["']?[^\n]{0,60}(curl|wget)\s[^\n]{4,200}(\||&&|;)\s?(sudo\s)?((ba)?sh|ruby|chmod)/
        $eval = /\beval\s?\(?\s?((URI|Kernel|Net::HTTP)\.(open|get|get_response)|open)\s?\(?\s?(URI\s?\(?)?["']https?:\/\/|\beval\s?\(?\s?Base64\.(strict_)?decode64/
    condition:
        filesize < 128KB and $gem and any of ($sys, $eval)
}

rule Tocsin_Rust_SupplyChain_BuildScriptFetch
{
    meta:
        description = "Cargo build script that runs a shell download or PowerShell at compile time"
        why = "Runs unseen code on every machine that builds the crate"
        reference = "T1195.002"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $main = /fn\s{1,2}main\s?\(\s?\)/
        $cmd = /Command::new\s?\(\s?"((ba)?sh|powershell(\.exe)?|cmd(\.exe)?)"\s?\)/
        $arg = /"[^"\n]{0,80}((curl|wget)\s[^"\n]{4,200}(\||&&|;)\s?((ba)?sh|chmod)|iwr\s|irm\s|downloadstring|-enc\s)/ nocase
        $cargo = /cargo:rerun-if|OUT_DIR|CARGO_|\bbuild script\b/ nocase
    condition:
        filesize < 64KB and all of them
}
