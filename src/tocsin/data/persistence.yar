/*
  Staying: the one-liners and files with which an intruder comes back after a reboot or keeps rights.
*/

rule Tocsin_Unix_Persistence_CronFetchRun
{
    meta:
        description = "cron entry that fetches a script and pipes it into a shell"
        why = "The intruder's code comes back at each run of cron, in whatever form it has by then"
        reference = "T1053.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $line = /(^|[\n"'(\[])\s{0,4}((\*\/[0-9]{1,2}|\*|[0-9]{1,2})(\s{1,3}(\*\/[0-9]{1,2}|\*|[0-9,-]{1,8})){4}|@(reboot|hourly|daily))\s{1,4}(root\s{1,4})?[^#\n]{0,80}\b(curl|wget)\s[^\n|]{4,200}(\|\s{0,3}(sudo\s)?(ba|da|z)?sh\b|-o\s?\S{2,60}\s?[;&]{1,2}\s?[^\n]{0,40}(sh|chmod)\s)/
        $dev = /(^|[\n"'(\[])\s{0,4}((\*\/[0-9]{1,2}|\*|[0-9]{1,2})(\s{1,3}(\*\/[0-9]{1,2}|\*|[0-9,-]{1,8})){4}|@(reboot|hourly|daily))\s{1,4}(root\s{1,4})?[^#\n]{0,80}(\/dev\/tcp\/|base64\s{1,2}(-d|--decode)\s?\|\s?(ba)?sh|(\/dev\/shm|\/var\/tmp|\/tmp)\/\.[A-Za-z0-9_.\/-]{1,60})/
    condition:
        filesize < 512KB and uint32be(0) != 0x7f454c46 and any of them
}

rule Tocsin_Unix_Persistence_SshKeyPlant
{
    meta:
        description = "Script that plants an SSH key and protects or hides what it did"
        why = "Leaves a door for the intruder's own key"
        reference = "T1098.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $key = /(echo|printf)\s{1,3}(-e\s{1,2})?["']?[^\n]{0,20}(ssh-(rsa|ed25519|dss)|ecdsa-sha2-\w{4,12})\s{1,2}AAAA[^\n]{20,1300}>>\s?["']?(~|\/root|\$HOME|\$\{HOME\}|\/home\/[^\s\/]{1,40})\/\.ssh\/authorized_keys/
        $p1 = /chattr\s{1,3}\+[a-zA-Z]{1,4}\s[^\n]{0,60}(authorized_keys|\.ssh)/
        $p2 = /history\s{1,2}-c|unset\s{1,2}HISTFILE|HISTFILE=\/dev\/null|HISTSIZE=0/
        $p3 = /(curl|wget)\s[^\n]{0,160}\|\s?(ba)?sh/
        $p4 = /PermitRootLogin\s{1,2}yes/
        $p5 = /echo\s{1,2}["']{0,2}>?\s?\/var\/log\/(wtmp|btmp|lastlog|auth\.log|secure)|>\s?\/var\/log\/(wtmp|btmp|lastlog|auth\.log|secure)/
    condition:
        filesize < 256KB and $key and any of ($p*)
}

rule Tocsin_Unix_Rootkit_LdPreloadFile
{
    meta:
        description = "Script that writes a library to /etc/ld.so.preload"
        why = "Puts code into every program that starts; the way user-space rootkits are installed"
        reference = "T1574.006"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(^|[\n;&|({])\s{0,12}(sudo\s{1,2})?(echo|printf)\s[^\n#]{1,120}\.so[^\n#]{0,20}\s?>{1,2}\s?["']?\/etc\/ld\.so\.preload/
        $b = /(^|[\n;&|({])\s{0,12}(sudo\s{1,2})?(echo|printf)\s[^\n#]{1,120}\.so[^\n#]{0,20}\|\s?(sudo\s{1,2})?tee\s{1,2}(-a\s{1,2})?\/etc\/ld\.so\.preload/
        $c = /open\s?\(\s?["']\/etc\/ld\.so\.preload["']\s?,\s?["'][wa]/
    condition:
        filesize < 512KB and uint32be(0) != 0x7f454c46 and any of them
}

rule Tocsin_Linux_Rootkit_PreloadHooks
{
    meta:
        description = "Source of a preload library that hides files, processes or its own preload entry"
        why = "Replaces functions of the C library to make the intruder invisible"
        reference = "T1014"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $next = /dlsym\s?\(\s?RTLD_NEXT\s?,\s?["'](readdir(64)?|open(at|dir|64)?|fopen(64)?|__?xstat(64)?|__?lxstat(64)?|lstat|unlink(at)?|access|accept|getdents(64)?|write|kill|pam_\w{4,20})["']/
        $hook = /struct\s{1,2}dirent(64)?\s?\*\s{0,2}readdir(64)?\s?\(|int\s{1,2}(accept|kill|unlinkat|__lxstat)\s?\(/
        $hide = /ld\.so\.preload|HIDE|MAGIC|hidden|\/proc\/net\/tcp|is_invisible|backdoor|\/proc\/self\/fd\// nocase
        $inc = "#include" nocase
        $filter = /(strstr|strcmp|strncmp)\s?\(\s?[^)\n]{0,60}d_name/
    condition:
        filesize < 512KB and $inc and $next and $hook and $hide and $filter
}

rule Tocsin_Unix_Persistence_ServiceUnit
{
    meta:
        description = "systemd unit that starts a reverse shell, a download or a hidden temporary file"
        why = "Brings the intruder's process back at each boot"
        reference = "T1543.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $svc = "[Service]"
        $a = /\nExec(Start|StartPre|StartPost)=[^\n]{0,120}(\/dev\/tcp\/|(curl|wget)\s[^\n|]{4,200}\|\s?(ba)?sh|base64\s{1,2}(-d|--decode)\s?\|\s?(ba)?sh)/
        $b = /\nExec(Start|StartPre|StartPost)=-?((\/usr)?\/bin\/(ba)?sh\s{1,2}(-c\s{1,2})?["']?)?(\/dev\/shm|\/var\/tmp|\/tmp|\/run\/shm)\/\.?[A-Za-z0-9_.-]{1,40}/
        $c = /\nExec(Start|StartPre|StartPost)=-?[^\n]{0,60}\/\.(cache|config|local|X11-unix|ICE-unix|font-unix)\/\.[A-Za-z0-9_.-]{1,40}/
    condition:
        filesize < 32KB and $svc and any of ($a, $b, $c)
}

rule Tocsin_Unix_Privilege_SetuidShell
{
    meta:
        description = "Script that makes a set-user-id copy of a shell"
        why = "Leaves a root shell for any user who knows where it lies"
        reference = "T1548.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $cp = /\bcp\s{1,3}(-[a-z]{1,4}\s{1,2})?(\/usr)?\/bin\/(ba|da|z|k)?sh\s{1,3}["']?(\/tmp|\/var\/tmp|\/dev\/shm|\/home|\/usr|\/opt|\/var)\/[^\s;&"']{1,80}/
        $mod = /chmod\s{1,3}(\+s|u\+s|ug\+s|[ug]{0,2}\+[rwx]{0,3}s|[4-7][0-7]{3}|[ug]{1,2}=[rwx]{0,3}s)\s{1,3}["']?(\/tmp|\/var\/tmp|\/dev\/shm|\/home|\/usr|\/opt|\/var)\//
        $direct = /chmod\s{1,3}(u\+s|\+s|4[0-7]{3}|6[0-7]{3})\s{1,3}["']?(\/usr)?\/bin\/(ba|da|z|k)?sh\b/
    condition:
        filesize < 256KB and uint32be(0) != 0x7f454c46 and (($cp and $mod) or $direct)
}

rule Tocsin_Unix_AntiForensics_LogWipe
{
    meta:
        description = "Shell script that empties login records and logs and its own history"
        why = "Destroys the record of what was done on the machine"
        reference = "T1070.002"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $l = /((echo\s{0,2}["']{0,2}|cat\s{1,2}\/dev\/null|true|:)?\s{0,2}>\s?|rm\s{1,2}-r?f?r?\s{1,2}|shred\s{1,2}(-[a-z]{1,6}\s{1,2}){1,3}|truncate\s{1,2}-s\s?0\s{1,2})\/var\/log\/(wtmp|btmp|utmp|lastlog|auth\.log|secure|messages|syslog|audit\/audit\.log|faillog|kern\.log|cron)/
        $h = /history\s{1,2}-c|unset\s{1,2}HISTFILE|HISTFILE=\/dev\/null|HISTSIZE=0|(>\s?|rm\s{1,2}-r?f?\s{1,2})(~|\$HOME|\/root)\/\.(bash|zsh)_history/
    condition:
        filesize < 256KB and uint32be(0) != 0x7f454c46 and #l > 2 and $h
}

rule Tocsin_Unix_Evasion_CloudAgentRemoval
{
    meta:
        description = "Shell script that removes the security agents of cloud providers"
        why = "Blinds the provider's monitoring before a miner is planted"
        reference = "T1562.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a1 = /(aegis|quartz)_uninstall|update\.aegis\.aliyun\.com|uninstall\.sh[^\n]{0,60}aegis/
        $a2 = /\/usr\/local\/qcloud\/(YunJing\/uninst|stargate\/admin\/uninstall|monitor\/barad\/admin\/uninstall)/
        $a3 = /(rm\s{1,2}-rf\s{1,2}|pkill\s[^\n]{0,12}|killall\s[^\n]{0,12})(\/usr\/local\/)?(aegis|cloudmonitor|AliYunDun|YunJing|barad_agent)/
        $a4 = /(systemctl|service)\s{1,2}(stop|disable)\s{1,2}(aliyun(\.service)?|apparmor|aegis|cloudmonitor|bcm-agent|falcon-sensor|auditd)|service\s{1,2}(aegis|apparmor|cloudmonitor)\s{1,2}stop/
        $a5 = /setenforce\s{1,2}0|iptables\s{1,2}-F|ufw\s{1,2}disable|SELINUX=disabled/
    condition:
        filesize < 512KB and uint32be(0) != 0x7f454c46 and 3 of them and any of ($a1, $a2, $a3)
}

rule Tocsin_Win_Persistence_RunKeyScript
{
    meta:
        description = "Script that puts a hidden interpreter command into a Run key of the registry"
        why = "Starts the intruder's command at each logon"
        reference = "T1547.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $reg = /reg(\.exe)?["']?\s{1,3}add\s{1,3}["']?(hkcu|hklm|hkey_current_user|hkey_local_machine)\\{1,2}[^\n]{0,40}currentversion\\{1,2}run(once)?["']?\s[^\n]{0,120}(powershell[^\n]{0,80}(-w\S{0,12}\s{1,2}h|-e(nc)?\s|iex|bypass)|mshta|wscript[^\n]{0,60}(appdata|temp|public)|regsvr32[^\n]{0,60}(appdata|temp|public|http)|rundll32[^\n]{0,60}(appdata|temp|public))/ nocase
        $ps = /(new|set)-itemproperty\s[^\n]{0,100}currentversion\\run(once)?["']?\s[^\n]{0,200}(powershell[^\n]{0,80}(-w\S{0,12}\s{1,2}h|-e(nc)?\s|iex)|mshta|wscript[^\n]{0,60}(appdata|temp|public))/ nocase
        $vbs = /\.regwrite\s?\(?\s?["']hk(cu|lm)\\[^\n]{0,60}currentversion\\run(once)?\\[^\n]{1,200}(powershell|mshta|wscript|\.vbs|\.js|\.hta)/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and any of them
}

rule Tocsin_Win_Persistence_ScheduledTaskScript
{
    meta:
        description = "Scheduled task that starts a hidden or encoded PowerShell, mshta or temp script"
        why = "Brings the intruder's command back on a timer"
        reference = "T1053.005"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /schtasks(\.exe)?["']?\s{1,3}[^\n]{0,20}\/create\s[^\n]{0,160}\/tr\s{1,3}["'\\]{0,3}[^\n]{0,60}(powershell[^\n]{0,100}(-w\S{0,12}\s{1,2}h|-e(nc)?\s|iex|downloadstring)|mshta(\.exe)?\s{1,3}["'\\]{0,3}(http|vbscript|javascript)|(wscript|cscript)(\.exe)?[^\n]{0,60}(%temp%|%appdata%|%public%|\\temp\\|\\appdata\\|\\public\\)|regsvr32[^\n]{0,60}http|cmd[^\n]{0,30}\/c[^\n]{0,40}(curl|certutil|bitsadmin))/ nocase
        $b = /new-scheduledtaskaction\s[^\n]{0,60}(powershell|mshta|wscript)[^\n]{0,200}(-w\S{0,12}\s{1,2}h|-e(nc)?\s{1,2}[a-z0-9+\/]{20}|iex|downloadstring|http:)/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and any of them
}

rule Tocsin_Win_Persistence_WmiSubscription
{
    meta:
        description = "Script that binds a WMI event filter to a consumer that starts an interpreter"
        why = "Runs a command on system events with no file in the usual start-up places"
        reference = "T1546.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $f = /__Event[f]ilter/ nocase
        $c = /CommandLineEventConsumer|ActiveScriptEventConsumer/ nocase
        $b = "__FilterToConsumerBinding" nocase
        $t = /CommandLineTemplate[^\n]{0,200}(powershell|cmd|mshta|wscript|rundll32|regsvr32|\$\w{1,20})|ScriptText[^\n]{0,200}(CreateObject|ActiveXObject|GetObject)/ nocase
    condition:
        filesize < 512KB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_Win_Persistence_AccessibilityDebugger
{
    meta:
        description = "Script that replaces an accessibility program of the logon screen by a shell"
        why = "Gives a system shell to anyone at the logon screen, even over remote desktop"
        reference = "T1546.008"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $ifeo = /image file execution options\\{1,2}(sethc|utilman|osk|narrator|magnify|displayswitch|atbroker)\.exe["']?[^\n]{0,60}debugger["']?[^\n]{0,60}(cmd|powershell|taskmgr|\.exe)/ nocase
        $copy = /(copy|xcopy|move|copy-item)\s[^\n]{0,60}cmd\.exe["']?\s{1,3}[^\n]{0,60}\\(sethc|utilman|osk|narrator|magnify)\.exe/ nocase
    condition:
        filesize < 512KB and uint16be(0) != 0x4d5a and any of them
}

rule Tocsin_Mac_Persistence_LaunchAgentCommand
{
    meta:
        description = "launchd property list that runs a download, osascript or decoded text at logon"
        why = "Brings the intruder's command back at each logon of a Mac"
        reference = "T1543.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $plist = /<plist\b/
        $label = "<key>Label</key>"
        $args = "<key>ProgramArguments</key>"
        $load = /<key>(RunAtLoad|StartInterval|KeepAlive)<\/key>/
        $bad = /<string>[^<]{0,300}((curl|wget)\s[^<]{4,300}\|\s?(ba|z)?sh|\/dev\/tcp\/|base64\s{1,2}(-D|-d|--decode)\s?\|\s?(ba|z)?sh|python[23]?\s{1,2}-c\s[^<]{0,60}(exec|import socket|b64decode)|osascript\s{1,2}-e\s[^<]{0,80}do shell script|\/(private\/)?(tmp|Users\/Shared)\/\.[A-Za-z0-9_.-]{1,40})/
    condition:
        filesize < 64KB and all of them
}
