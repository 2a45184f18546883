/*
  Phishing: the pages that ask for passwords, the scripts that pass them on, and the lures that
  make a visitor run the attacker's command himself.
*/

rule Tocsin_PHP_Phishing_MailCredentials
{
    meta:
        description = "PHP script that mails posted passwords with the visitor's address and moves on"
        why = "The back end of a phishing page"
        reference = "T1056.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $php = "<?"
        $pass = /\$_(POST|REQUEST)\s?\[\s?['"]?(pass|passwd|password|pwd|psw|passw|pin|otp|cvv|ccnum|cardnumber|mdp|contrasena|senha|login_password|session_password)[a-z0-9_]{0,6}['"]?\s?\]/ nocase
        $mail = /@?\bmail\s?\(\s?["'$][^;\n]{3,160}\)/ nocase
        $ip = /REMOTE_ADDR|HTTP_CLIENT_IP|getenv\s?\(\s?["']REMOTE_ADDR/
        $go = /header\s?\(\s?["']Location\s?:\s?(https?:\/\/|\$|[a-z0-9_-]{2,40}\.(php|html?))|http-equiv\s?=\s?\S{0,2}refresh|window\.location/ nocase
        $body = /(pass(word|wd|code)?|pwd|pin|login|user(name)?|e-?mail)[^"'\n]{0,20}[:=]+>?[^"'\n]{0,6}["']?\s?\.\s?\$|(pass(word|wd|code)?|pwd|e-?mail|user(name|id)?)[ *|_-]{0,12}[:=]+[ >]{0,4}\{?\$(_POST|[a-z])/ nocase
        $log = /-{3,}|\+{3,}|={4,}|\*{3,}|ReZulT|Rezult|Logs?\s|fullz|victim/
        $hash = /password_hash\s?\(|password_verify\s?\(|prepare\s?\(/
    condition:
        filesize < 64KB and $php in (0..1024) and $pass and $mail and $ip and $go and $body and $log and not $hash
}

rule Tocsin_PHP_Phishing_TelegramCredentials
{
    meta:
        description = "PHP script that sends posted passwords to a Telegram bot"
        why = "The back end of a phishing page"
        reference = "T1567"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $php = "<?"
        $pass = /\$_(POST|REQUEST|GET)\s?\[\s?['"]?(pass|passwd|password|pwd|psw|pin|otp|cvv|card|ccnum|mdp|senha|seed|phrase|mnemonic)[a-z0-9_]{0,8}['"]?\s?\]/ nocase
        $bot = /api\.telegram\.org\/bot/
        $send = /sendMessage/
        $hash = /password_hash\s?\(|password_verify\s?\(/
    condition:
        filesize < 128KB and $php in (0..1024) and $pass and $bot and $send and not $hash
}

rule Tocsin_PHP_Phishing_FileCredentials
{
    meta:
        description = "PHP script that appends posted passwords to a text file and moves on"
        why = "The back end of a phishing page: an honest site never writes passwords in the clear"
        reference = "T1056.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $php = "<?"
        $pass = /\$_(POST|REQUEST|GET)\s?\[\s?['"]?(pass|passwd|password|pwd|psw|pin|otp|cvv)[a-z0-9_]{0,6}['"]?\s?\]/ nocase
        $file = /(fopen|file_put_contents)\s?\(\s?["'][^"'\n]{0,40}\.(txt|log|html|dat)["']\s?,/ nocase
        $write = /fwrite\s?\(|fputs\s?\(|FILE_APPEND/
        $go = /header\s?\(\s?["']Location\s?:\s?https?:\/\//  nocase
        $all = /foreach\s?\(\s?\$_(POST|GET)\s{1,2}as\s{1,2}\$\w{1,20}\s?=>\s?\$\w{1,20}\s?\)/
        $hash = /password_hash\s?\(|password_verify\s?\(|md5\s?\(/
    condition:
        filesize < 32KB and $php in (0..1024) and any of ($pass, $all) and $file and $write and $go and not $hash
}

rule Tocsin_PHP_Phishing_ScannerBlocklist
{
    meta:
        description = "PHP or Apache block list that keeps security vendors and phishing trackers away"
        why = "Phishing kits hide from those who would take them down"
        reference = "T1497"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $v1 = /phi[s]htank/ nocase
        $v2 = /net[c]raft/ nocase
        $v3 = /kas[p]ersky/ nocase
        $v4 = "avast" nocase
        $v5 = /bit[d]efender/ nocase
        $v6 = /for[t]inet/ nocase
        $v7 = /tre[n]dmicro/ nocase
        $v8 = /mca[f]ee/ nocase
        $v9 = /cyv[e]illance/ nocase
        $v10 = /fir[e]eye/ nocase
        $v11 = /saf[e]browsing/ nocase
        $look = /gethostbyaddr\s?\(|HTTP_USER_AGENT|REMOTE_ADDR|deny\s{1,2}from|Require\s{1,2}not\s{1,2}(host|ip)/ nocase
        $act = /HTTP\/1\.[01] 404|404 Not Found|\bdie\s?\(|\bexit\b|header\s?\(\s?["']Location|deny\s{1,2}from|Require\s{1,2}not/ nocase
        $php = /<\?php|deny\s{1,2}from|RewriteCond/ nocase
    condition:
        filesize < 128KB and 4 of ($v*) and $look and $act and $php
}

rule Tocsin_HTML_Phishing_AttachedLoginForm
{
    meta:
        description = "Local page with a password form that posts to a PHP script or a bot, mail filled in"
        why = "A phishing page sent as an attachment: it asks the reader for the password of the mailbox"
        reference = "T1566.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $pw = /<input[^>]{0,160}type\s?=\s?["']?password/ nocase
        $who = /location\.hash|atob\s?\(\s?["'`][A-Za-z0-9+\/=]{12}|(value|var\s\w{1,12})\s?=\s?["'][a-z0-9._-]{1,40}@[a-z0-9.-]{3,60}["']/ nocase
        $send = /(url\s?:\s?|fetch\s?\(\s?|action\s?=\s?|\.open\s?\(\s?["']POST["']\s?,\s?|axios\.post\s?\(\s?)["'`]?https?:\/\/[^"'`\s>]{4,160}(\.php|\/sendMessage|api\.telegram\.org)/ nocase
        $msg = /(incorrect|wrong|invalid)\s{1,2}password|password\s{1,2}(is\s{1,2})?(incorrect|wrong|invalid)|session\s{1,2}(has\s{1,2})?(expired|timed\s{1,2}out)|sign\s{1,2}in\s{1,2}to\s{1,2}(view|continue|access)|enter\s{1,2}(your\s{1,2})?(e?mail\s{1,2})?password/ nocase
        $click = /preventDefault\s?\(|\.submit\s?\(|onclick|onsubmit|\$\.ajax|addEventListener/ nocase
    condition:
        filesize < 2MB and all of them
}

rule Tocsin_HTML_Phishing_ClipboardCommand
{
    meta:
        description = "Page that puts a command on the clipboard and tells the visitor to run it"
        why = "A fake check that makes the visitor start the malware with his own hands"
        reference = "T1204.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $copy = /clipboard\.writeText\s?\(|execCommand\s?\(\s?["']copy["']/
        $cmd = /(powershell|pwsh)(\.exe)?["']?\s{1,3}[^\n]{0,300}(-w\S{0,12}\s{1,2}["']?(h|1)|iex|iwr|irm|-e(nc)?\s|downloadstring)|mshta(\.exe)?\s{1,3}["']?https?:|curl\s[^\n]{4,200}\|\s?(ba|z)?sh|cmd(\.exe)?\s{1,2}\/c\s[^\n]{0,200}(curl|mshta|powershell|msiexec)/ nocase
        $how = /(win(dows)?(\s{1,2}(key|button|logo key))?\s{0,2}(<\/?\w{1,6}>\s{0,2}){0,4}\+\s{0,2}(<\/?\w{1,6}>\s{0,2}){0,4}(r|x)\b|press[^\n<]{0,60}ctrl\s{0,2}\+\s{0,2}v|ctrl\s{0,2}(<\/?\w{1,6}>\s{0,2}){0,4}\+\s{0,2}(<\/?\w{1,6}>\s{0,2}){0,4}v\b)/ nocase
        $lure = /(i.?m\s{1,2}not\s{1,2}a\s{1,2}robot|verif(y|ication)|captcha|cloudflare|human|fix\s{1,2}(it|the|this)|update\s{1,2}(required|your))/ nocase
    condition:
        filesize < 2MB and all of them
}

rule Tocsin_HTML_Phishing_SeedPhraseForm
{
    meta:
        description = "Page or script that asks for a wallet's recovery phrase and sends it to a host"
        why = "The phrase is the wallet; no honest page asks for it"
        reference = "T1056.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $ask = /(enter|import|type|paste|confirm|verify|validate)[^<\n]{0,40}(secret\s{1,2}recovery|seed|recovery|mnemonic|backup|12[- ]word|24[- ]word)\s{0,2}(phrase|words)?/ nocase
        $page = /<(html|body|form|textarea|input)\b/ nocase
        $send = /api\.telegram\.org\/bot|(action|url|fetch|post)\s?[=(:]\s{0,2}["'`]?[^"'`\s>]{0,160}\.php\b|emailjs\.send|formspree\.io|formsubmit\.co|getform\.io|api\/webhooks\//  nocase
        $field = /(name|id)\s?=\s?["']?(phrase|seed|mnemonic|recovery|keystore|privatekey|secret)/ nocase
    condition:
        filesize < 2MB and all of them
}
