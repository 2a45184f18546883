/*
  Stealers: code that collects passwords, tokens, wallets or keystrokes and sends them away.
*/

rule Tocsin_Python_Stealer_BrowserLogins
{
    meta:
        description = "Python that decrypts the saved logins of Chromium browsers and sends them away"
        why = "Takes every password the user has saved"
        reference = "T1555.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $db = /Login Data|\bCookies\b|Web Data/
        $key = /os_crypt|encrypted_key/
        $state = "Local State"
        $dec = /CryptUnprotectData|AES\.new\s?\(|AESGCM\s?\(|Safe Storage/
        $sql = /from\s{1,3}(logins|cookies|credit_cards)\b/ nocase
        $send = /requests\.post\s?\(|webhook|api\.telegram\.org|smtplib|ftplib|urlopen\s?\(|gofile\.io|anonfiles|socket\.socket/ nocase
    condition:
        filesize < 5MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_Any_Stealer_DiscordWebhook
{
    meta:
        description = "Script that sends browser, wallet or Discord data to a Discord webhook"
        why = "A webhook is a free and anonymous drop box for stolen data"
        reference = "T1567.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $hook = /(discord|discordapp|ptb\.discord|canary\.discord)\.com\/api\/(v[0-9]{1,2}\/)?webhooks\/[0-9]{16,20}\/[A-Za-z0-9_-]{20}/
        $p1 = /Login Data|Local Extension Settings|cookies\.sqlite|logins\.json|key4\.db/
        $p2 = /discord(canary|ptb)?[\\\/]{1,4}Local Storage[\\\/]{1,4}leveldb/ nocase
        $p3 = /wallet\.dat|\bExodus\b|Electrum|MetaMask|nkbi[h]fbeogaeaoehlefnkodbefgpgknn/
        $p4 = /\.ssh[\\\/]{1,2}id_(rsa|ed25519)|\.aws[\\\/]{1,2}credentials/
        $p5 = /netsh\s{1,2}wlan\s{1,2}show\s{1,2}profiles?[^\n]{0,40}key\s?=\s?clear/ nocase
        $p6 = /GetAsyncKey[S]tate|pynput|ImageGrab\.grab|CopyFromScreen/
        $p7 = ".ROBLOSECURITY" nocase
    condition:
        filesize < 10MB and $hook and any of ($p*)
}

rule Tocsin_Any_Stealer_TelegramBot
{
    meta:
        description = "Script that sends browser, wallet, session or key files through a Telegram bot"
        why = "A bot is a free and anonymous drop box for stolen data"
        reference = "T1567"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $bot = /api\.telegram\.org\/bot\S{0,60}/
        $token = /\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b/
        $send = /sendDocument|sendMessage|sendPhoto/
        $p1 = /Login Data|Local Extension Settings|cookies\.sqlite|logins\.json|key4\.db/
        $p2 = /Telegram Desktop[\\\/]{1,4}tdata|[\\\/]tdata\b/
        $p3 = /wallet\.dat|\bExodus\b|Electrum|MetaMask|nkbi[h]fbeogaeaoehlefnkodbefgpgknn/
        $p4 = /\.ssh[\\\/]{1,2}id_(rsa|ed25519)|\.aws[\\\/]{1,2}credentials|\/etc\/shadow/
        $p5 = /netsh\s{1,2}wlan\s{1,2}show\s{1,2}profiles?[^\n]{0,40}key\s?=\s?clear/ nocase
        $p6 = /GetAsyncKey[S]tate|from pynput|ImageGrab\.grab|CopyFromScreen/
    condition:
        filesize < 10MB and $bot and $token and $send and any of ($p*)
}

rule Tocsin_Any_Stealer_DiscordTokenGrabber
{
    meta:
        description = "Script that searches the local storage of Discord for session tokens"
        why = "A token gives the account away without its password"
        reference = "T1528"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $re1 = /\[\\w-\]\{2[46](,2[68])?\}\\?\.\[\\w-\]\{6\}\\?\.\[\\w-\]\{(25,110|27|38|27,40)\}/
        $re2 = /mfa\\?\.\[\\w-\]\{84\}/
        $re3 = /dQw4w9WgXc[Q]:/
        $ldb = /leveldb|\.ldb\b/
        $path = /discord|Local Storage/ nocase
    condition:
        filesize < 10MB and any of ($re*) and $ldb and $path
}

rule Tocsin_Any_Stealer_WalletExtensions
{
    meta:
        description = "Script that walks the storage of several wallet extensions of browsers"
        why = "Only a thief of wallets keeps a list of them all with their storage folder"
        reference = "T1555"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $dir = /Local Extension Settings|IndexedDB|Sync Extension Settings/
        $w1 = /nkbi[h]fbeogaeaoehlefnkodbefgpgknn/
        $w2 = /ibne[j]dfjmmkpcnlpebklmnkoeoihofec/
        $w3 = /bfna[e]lmomeimhlpmgjnjophhpkkoljpa/
        $w4 = /hnfa[n]knocfeofbddgcijnmhnfnkdnaad/
        $w5 = /fhbo[h]imaelbohpjbbldcngcnapndodjp/
        $w6 = /egji[d]jbpglichdcondbcbdnbeeppgdph/
        $w7 = /ahol[p]fdialjgjfhomihkjbmgjidlcdno/
        $w8 = /ejba[l]bakoplchlghecdalmeeeajnimhm/
        $act = /os\.path|shutil|copytree|readdirSync|Copy-Item|zipfile|FormData|createReadStream|ReadAllBytes|requests\.post/
    condition:
        filesize < 20MB and $dir and 3 of ($w*) and $act
}

rule Tocsin_Mac_Stealer_PasswordPrompt
{
    meta:
        description = "AppleScript that asks for the login password in a made-up dialog and collects data"
        why = "The password prompt is not the system's; it unlocks the key chain for the thief"
        reference = "T1056.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $ask = /display\s{1,3}dialog\s[^\n]{0,400}hidden\s{1,3}answer/ nocase
        $check = /dscl\s{1,3}[^\n]{0,40}authonly|security\s{1,3}(unlock-keychain|find-generic-password)/ nocase
        $take = /login\.keychain(-db)?|Cookies\.binarycookies|Login Data|NoteStore\.sqlite|\/Exodus|Electrum\/wallets|Local Extension Settings/ nocase
        $send = /curl\s[^\n]{0,200}(-F|--form|-T|--data-binary|-d)\s|ditto\s{1,2}-c\s{1,2}-k/ nocase
    condition:
        filesize < 10MB and $ask and 2 of ($check, $take, $send)
}

rule Tocsin_Unix_Stealer_SecretUpload
{
    meta:
        description = "Shell command that uploads password files, private keys or cloud credentials"
        why = "Sends away the secrets of the machine in one command"
        reference = "T1552.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $curl = /curl\s[^\n]{0,200}(-F|--form|-T|--upload-file|-d|--data|--data-binary)\s{0,3}["']?[^\n\s]{0,24}(@|\s)?["']?(\/etc\/shadow|(~|\/root|\$HOME|\$\{HOME\}|\/home\/\S{1,30})\/\.(ssh\/id_\w{2,10}|aws\/credentials|kube\/config|docker\/config\.json|npmrc|git-credentials|netrc|gnupg))/
        $wget = /wget\s[^\n]{0,120}--(post|body)-file[= ]["']?(\/etc\/shadow|(~|\/root|\$HOME|\/home\/\S{1,30})\/\.(ssh\/id_\w{2,10}|aws\/credentials|kube\/config))/
        $pipe = /(cat|tar\s{1,2}-?[a-z]{1,5}\s{1,2}(-\s{1,2})?)[^\n|]{0,120}(\/etc\/shadow|\.ssh\/id_(rsa|ed25519)|\.aws\/credentials|\.kube\/config|\.ssh\b)[^\n|]{0,120}\|\s?(base64[^\n|]{0,20}\|\s?|gzip[^\n|]{0,20}\|\s?|openssl\s[^\n|]{0,60}\|\s?)?(curl\s[^\n]{0,160}(-d|--data|--data-binary|-F|-T)|nc\s{1,2}[^\n]{3,60}[0-9]|ncat\s)/
    condition:
        filesize < 1MB and uint32be(0) != 0x7f454c46 and any of them
}

rule Tocsin_PowerShell_Stealer_Keylogger
{
    meta:
        description = "PowerShell that polls the keyboard state and writes or sends what is typed"
        why = "Records passwords and messages as they are typed"
        reference = "T1056.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $key = /GetAsyncKey[S]tate/ nocase
        $imp = /Add-Type|DllImport\s?\(/ nocase
        $map = /ToUnicode|MapVirtualKey|GetKeyboardState|\[char\]|\[System\.Windows\.Forms\.Keys\]|virtualkey/ nocase
        $loop = /while\s{0,2}\(|for\s{0,2}\(|do\s{0,2}\{/ nocase
        $out = /AppendAllText|Out-File|Add-Content|Send-MailMessage|Invoke-RestMethod|Invoke-WebRequest|UploadString|api\/webhooks/ nocase
        $ps = /\$[a-z_]{2,30}\s?=|param\s?\(/ nocase
    condition:
        filesize < 1MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_Python_Stealer_Keylogger
{
    meta:
        description = "Python keyboard listener that mails or posts what is typed"
        why = "Records passwords and messages as they are typed and sends them away"
        reference = "T1056.001"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $lib = /from\s{1,2}pynput(\.keyboard)?\s{1,2}import|import\s{1,2}pynput|import\s{1,2}keyboard\b|import\s{1,2}pyWinhook|pyHook/
        $listen = /Listener\s?\(\s?[^)\n]{0,40}on_press|keyboard\.on_(press|release)\s?\(|\.KeyDown\s?=/
        $send = /smtplib\.SMTP|requests\.post\s?\(|api\.telegram\.org|webhooks?\/|ftplib\.FTP|sendmail\s?\(/
        $log = /\blog(s|ged|file|_file)?\b|keystrokes?|keylog/ nocase
    condition:
        filesize < 1MB and all of them
}

rule Tocsin_Any_Stealer_ClipboardSwap
{
    meta:
        description = "Script that replaces coin addresses found in the clipboard by its own"
        why = "Payments go to the thief instead of the address that was copied"
        reference = "T1565.002"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $re1 = /\[13\]\{?1?\}?\[a-km-zA-HJ-NP-Z1-9\]\{2[0-9],3[0-9]\}|\(bc1\|\[13\]\)\[a-zA-HJ-NP-Z0-9\]\{2[0-9],[0-9]{2}\}/
        $re2 = /0x\[a-fA-F0-9\]\{40\}|0x\[A-Fa-f0-9\]\{40\}/
        $get = /pyperclip\.paste\s?\(|Get-Clipboard|GetClipboardData|Clipboard\]::GetText|clipboard\.readText|xclip\s[^\n]{0,30}-o/ nocase
        $set = /pyperclip\.copy\s?\(|Set-Clipboard|SetClipboardData|Clipboard\]::SetText|clipboard\.writeText|xclip\s[^\n]{0,30}-i/ nocase
        $loop = /while\s{0,3}\(?\s?(True|\$true|1)|setInterval\s?\(/ nocase
    condition:
        filesize < 5MB and any of ($re*) and $get and $set and $loop
}

rule Tocsin_Win_Stealer_CredentialDump
{
    meta:
        description = "Script that dumps the memory of LSASS or the SAM, or drives mimikatz"
        why = "Takes the passwords and hashes of everybody logged on"
        reference = "T1003.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $mini = /comsvcs(\.dll)?["']?\s{0,2},?\s{0,3}(#\+?0{0,3}24|MiniDump)["']?\s{1,3}[^\n]{1,120}(full|lsass)/ nocase
        $proc = /procdump(64)?(\.exe)?\s{1,3}[^\n]{0,60}-ma\s{1,3}[^\n]{0,30}lsass/ nocase
        $sam = /reg(\.exe)?\s{1,3}save\s{1,3}["']?(hklm|hkey_local_machine)\\{1,2}(sam|security)["']?\s{1,3}\S/ nocase
        $mimi = /["'\s;](privilege::debug["']?[\s\S]{1,80}|\s{0,3})(sekurlsa::(logonpasswords|minidump|tickets|pth)|lsadump::(sam|lsa|dcsync|secrets))/ nocase
        $inv = /Invoke-Mimi[k]atz\s{1,3}-(DumpCreds|DumpCerts|Command)/ nocase
        $ntds = /ntdsutil(\.exe)?["']?\s{1,3}[^\n]{0,60}(ac(tivate)?\s{1,2}i(nstance)?\s{1,2}ntds)[^\n]{0,80}ifm[^\n]{0,60}cr(eate)?\s{1,2}fu(ll)?/ nocase
        $run = /@?echo\s{1,2}off|powershell|\$[a-z]{1,20}\s?=|cmd(\.exe)?\s{1,2}\/c|rundll32|mimikatz(\.exe)?["']?\s{1,2}["']|iex\b|reg(\.exe)?\s{1,2}save|procdump/ nocase
    condition:
        filesize < 2MB and uint16be(0) != 0x4d5a and uint32be(0) != 0x7f454c46 and
        (any of ($mini, $proc, $inv, $ntds) or #sam > 1 or ($sam and $mini) or ($mimi and $run))
}

rule Tocsin_Unix_Stealer_FakeSudo
{
    meta:
        description = "Shell start-up text that replaces sudo or su by a function that keeps the password"
        why = "Collects the password of an administrator at the next use of sudo"
        reference = "T1056.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $hook = /(alias\s{1,3}sudo=|(function\s{1,3})?\bsudo\s?\(\)\s?\{|function\s{1,3}sudo\b|\bsu\s?\(\)\s?\{)/
        $read = /read\s{1,3}(-[a-z]{1,4}\s{1,3}){1,3}[^\n]{0,100}(password|passwd|pass|pw)\b/ nocase
        $prompt = /\[sudo\]\s?password\s?for/
        $keep = /(>{1,2}\s?["']?(\/tmp|\/var\/tmp|\/dev\/shm|~\/\.|\$HOME\/\.)|curl\s|wget\s|nc\s|\/dev\/tcp\/)/
    condition:
        filesize < 256KB and all of them
}

rule Tocsin_JS_Stealer_CardSkimmer
{
    meta:
        description = "Shop page script that reads card fields at checkout and sends them elsewhere encoded"
        why = "Takes the card data of every customer of the shop"
        reference = "T1056.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $where = /checkout|onepage|payment|billing/ nocase
        $num = /(cc_?num(ber)?|card_?num(ber)?|ccnum|cardno|authorizenet_cc_number|card\[number\])/ nocase
        $cvv = /(cc_?cid|cvv2?|cvc2?|cc_?cvv|securitycode|card\[cvc\])/ nocase
        $exp = /(expir|exp_?month|exp_?year|expiration)/ nocase
        $enc = /btoa\s?\(\s?(unescape\s?\(\s?)?(encodeURIComponent\s?\(\s?)?JSON\.stringify/
        $send = /new\s{1,2}Image\s?\([^\n]{0,40}[\s\S]{0,80}\.src\s?=|\.src\s?=\s?[^\n]{0,120}\+\s?(btoa|\w{1,12})|navigator\.sendBeacon\s?\(|new\s{1,2}WebSocket\s?\(|fetch\s?\(\s?atob\s?\(|XMLHttpRequest\s?\(/
        $hide = /atob\s?\(\s?["'][A-Za-z0-9+\/=]{12}|fromCharCode\s?\(|document\.createElement\s?\(\s?["']img["']/
    condition:
        filesize < 512KB and all of them
}

rule Tocsin_JS_Stealer_ExtensionCookies
{
    meta:
        description = "Browser extension script that reads all cookies and posts them to a host"
        why = "Session cookies open the user's accounts without a password"
        reference = "T1539"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $all = /(chrome|browser)\.cookies\.getAll\s?\(\s?\{\s?(url\s?:|domain\s?:\s?["']\.?(facebook|google|instagram|roblox|discord|github|binance|coinbase)[^"']{0,20}["'])?[^}\n]{0,40}\}/
        $send = /fetch\s?\(\s?["'`]https?:\/\/[^"'`\n]{4,120}["'`]\s?,\s?\{[\s\S]{0,200}method\s?:\s?["']POST["'][\s\S]{0,300}(cookie|ck|JSON\.stringify)|sendBeacon\s?\(\s?["'`]https?:[^\n]{4,200}(cookie|ck)|\.open\s?\(\s?["']POST["']\s?,\s?["']https?:[\s\S]{0,400}(cookie|ck)/ nocase
        $str = /JSON\.stringify|encodeURIComponent|btoa\s?\(/
    condition:
        filesize < 2MB and all of them
}

rule Tocsin_JS_Stealer_CookieBeacon
{
    meta:
        description = "Script element that appends document.cookie to a URL on another host"
        why = "The payload of cross-site scripting: it sends the visitor's session away"
        reference = "T1539"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $img = /(new\s{1,2}Image\s?\(\s?\)\s?\.\s?src|(document|window|self|top)\.location(\.href)?)\s?=\s?["'`](https?:)?\/\/[^"'`\n]{4,180}["'`]\s?\+\s?(encodeURIComponent|escape|btoa)?\s?\(?\s?document\.cookie/
        $fetch = /fetch\s?\(\s?["'`](https?:)?\/\/[^"'`\n]{4,180}["'`]\s?\+\s?(encodeURIComponent|escape|btoa)?\s?\(?\s?document\.cookie/
        $write = /document\.write\s?\(\s?["'`]<(img|iframe)\s[^\n]{0,40}src\s?=\s?[^\n]{0,160}\+\s?(encodeURIComponent|escape|btoa)?\s?\(?\s?document\.cookie/
    condition:
        filesize < 1MB and any of them
}
