/*
  Web shells: server-side pages that hand the visitor of the page a command line.

  What is looked for is the idiom, not the author: request input that reaches an interpreter or a
  process.  The PHP rules ask for the idiom where a statement can begin, in a file that begins like
  a page or a script, so that prose, comments and pattern lists about web shells stay quiet.
*/

private rule Tocsin_PHP_Private_Page
{
    meta:
        description = "A file that begins like a PHP page or script (helper of the PHP rules)"
        why = "Not bad in itself: keeps PHP rules away from prose, archives and pattern lists"
        reference = "T1505.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $open = "<?"
    condition:
        filesize < 2MB and
        (
            uint8(0) == 0x3c or uint8(0) == 0x0a or uint8(0) == 0x0d or uint8(0) == 0x20 or
            uint8(0) == 0x09 or uint16be(0) == 0x2321 or uint32be(0) == 0xefbbbf3c or
            uint32be(0) == 0x47494638 or uint32be(0) == 0x89504e47 or uint16be(0) == 0xffd8
        ) and
        $open
}

rule Tocsin_PHP_WebShell_EvalRequest
{
    meta:
        description = "PHP page that evaluates text taken from the HTTP request as PHP code"
        why = "Anyone who can reach the page runs any code on the server; no honest page does this"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $direct = /([;{}(@=:&|?!,.\n]|<\?(php|=)?|\b(echo|print|return|else|die|exit)\b)[ \t]*@?(eval|assert)(\s|\/\*[^*]{0,40}\*\/){0,4}\((\s|@|\(|['"]\?>['"]\s*\.|stripslashes|urldecode|trim|gzinflate|gzuncompress|str_rot13|strrev|hex2bin|base64_decode|stripcslashes|rawurldecode){0,8}\$(GLOBALS\[['"])?(\{['"])?_(GET|POST|REQUEST|COOKIE)\b/i
        $header = /([;{}(@=:&|?!,.\n]|<\?(php|=)?)[ \t]*@?(eval|assert)\s{0,4}\((\s|@|\(|base64_decode|gzinflate|strrev|str_rot13|hex2bin){0,6}(\$_SERVER\s{0,3}\[\s{0,3}['"]HTTP_|getallheaders\(\)\s{0,3}\[|apache_request_headers\(\)\s{0,3}\[)/i
        $stream = /([;{}(@=:&|?!,.\n]|<\?(php|=)?)[ \t]*@?(eval|assert)\s{0,4}\((\s|@|\(|['"]\?>['"]\s{0,3}\.|base64_decode|gzinflate|strrev|str_rot13){0,6}file_get_contents\s{0,3}\(\s{0,3}['"]php:\/\/input/i
    condition:
        Tocsin_PHP_Private_Page and ($direct or $header or ($stream and filesize < 2KB))
}

rule Tocsin_PHP_WebShell_CommandRequest
{
    meta:
        description = "PHP page that starts a process whose command line is a request parameter"
        why = "The visitor chooses the command: the page is a remote shell"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $call = /([;{}(@=:&|?!,.\n]|<\?(php|=)?|\b(echo|print|return|else|die|exit)\b)[ \t]*@?(system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec)(\s|\/\*[^*]{0,40}\*\/){0,4}\((\s|@|\(|urldecode|stripslashes|base64_decode|trim|strrev|hex2bin|str_rot13){0,6}\$_(GET|POST|REQUEST|COOKIE|SERVER\s{0,3}\[\s{0,3}['"]HTTP_)/i
        $tick = /(=|echo|print|\()\s{0,4}`[^`\n]{0,40}\$\{?_(GET|POST|REQUEST|COOKIE)\b/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_CommandVariable
{
    meta:
        description = "PHP page that copies a cmd-like request parameter to a variable and runs it"
        why = "A command line read from the request and started unescaped is a remote shell"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $take = /\$(cmd|c|command|exec|x|e|execute|shell|comando|run)\s{0,4}=\s{0,4}@?\(?[^;\n]{0,60}\$_(GET|POST|REQUEST|COOKIE)\s{0,3}\[\s{0,3}['"]?(cmd|c|command|exec|x|e|execute|shell|comando|run|0)['"]?\s{0,3}\]/i
        $run = /\b(system|passthru|shell_exec|exec|popen|proc_open)\s{0,4}\(\s{0,4}["']?\$\{?(cmd|c|command|exec|x|e|execute|shell|comando|run)\b[^;\n]{0,40}\)/i
        $safe = "escapeshell" nocase
        $pdo = "->prepare(" nocase
    condition:
        Tocsin_PHP_Private_Page and filesize < 256KB and $take and $run and not $safe and not $pdo
}

rule Tocsin_PHP_WebShell_ObfuscatedEval
{
    meta:
        description = "PHP page that evaluates a chain of decoders (base64, gzip, rot13) over a blob"
        why = "Code packed in this way hides what it does; in the wild it hides web shells"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $chain = /\b(eval|assert)\s{0,4}\(\s{0,4}(['"]\?>['"]\s{0,3}\.\s{0,3})?\(?(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|base64_decode|convert_uudecode)\s{0,4}\(\s{0,4}\(?(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|base64_decode|convert_uudecode|rawurldecode)\s{0,4}\(/i
        $blob = /\b(eval|assert)\s{0,4}\(\s{0,4}(['"]\?>['"]\s{0,3}\.\s{0,3})?(base64_decode|hex2bin|gzinflate|convert_uudecode)\s{0,4}\(\s{0,4}['"][A-Za-z0-9+\/=\s]{120}/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_PregReplaceEval
{
    meta:
        description = "PHP preg_replace with the /e modifier whose replacement is request input"
        why = "The e modifier evaluates the replacement as PHP: a hidden eval of what a visitor sends"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /preg_(replace|filter)\s{0,4}\(\s{0,4}['"][^'"\n]{0,60}[\/#~|!%@][imsxuADSUX]{0,4}e[imsxuADSUX]{0,4}['"]\s{0,4},\s{0,4}[^,;\n]{0,60}\$_(GET|POST|REQUEST|COOKIE|SERVER)\b/i
        $b = /mb_ereg_replace\s{0,4}\([^;\n]{0,80}\$_(GET|POST|REQUEST|COOKIE)[^;\n]{0,80}['"][a-z]{0,4}e[a-z]{0,4}['"]\s{0,4}\)/i
        $c = /preg_replace\s{0,4}\(\s{0,4}['"][^'"\n]{0,60}[\/#~|!%@][imsxu]{0,4}e[imsxu]{0,4}['"]\s{0,4},\s{0,4}['"](\\x65\\x76\\x61\\x6c|eval\s{0,3}\(|assert\s{0,3}\()/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_CreateFunction
{
    meta:
        description = "PHP create_function whose body is request input or a decoded blob"
        why = "create_function evaluates its body: a way to write eval without the word"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /create_function\s{0,4}\([^,;\n]{0,40},\s{0,4}[^;\n]{0,60}\$_(GET|POST|REQUEST|COOKIE)\b/i
        $b = /create_function\s{0,4}\(\s{0,4}['"][^'"]{0,20}['"]\s{0,4},\s{0,4}(gzinflate\s{0,3}\(\s{0,3}|gzuncompress\s{0,3}\(\s{0,3}|str_rot13\s{0,3}\(\s{0,3}){0,2}(base64_decode|str_rot13|strrev|gzinflate)\s{0,3}\(/i
        $c = /create_function\s{0,4}\([^;\n]{0,40}['"](eval|assert|e['"]\s{0,2}\.\s{0,2}['"]val)\s{0,3}\(?\s{0,3}['"]?/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_CallbackRequest
{
    meta:
        description = "PHP callback function that applies assert, eval or system to request input"
        why = "Hides the call of an evaluator in a library function, to pass by simple scanners"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(array_map|call_user_func|call_user_func_array|array_walk|array_walk_recursive|forward_static_call|forward_static_call_array|register_shutdown_function|register_tick_function|iterator_apply)\s{0,4}\(\s{0,4}['"](assert|system|passthru|shell_exec|exec|popen|create_function)['"]\s{0,4},[^;\n]{0,60}\$_(GET|POST|REQUEST|COOKIE)\b/i
        $b = /(array_filter|usort|uasort|uksort|array_reduce|array_walk|array_diff_ukey|array_udiff|preg_replace_callback)\s{0,4}\([^;\n]{0,60}\$_(GET|POST|REQUEST|COOKIE)[^;\n]{0,60},\s{0,4}['"](assert|system|passthru|shell_exec|exec|popen)['"]/i
        $c = /(array_map|call_user_func|call_user_func_array|array_filter|usort|register_shutdown_function)\s{0,4}\(\s{0,4}@?\$_(GET|POST|REQUEST|COOKIE)\s{0,3}\[[^\]\n]{1,30}\]\s{0,4},\s{0,4}(array\s{0,3}\()?\[?\s{0,3}@?\$_(GET|POST|REQUEST|COOKIE)/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_FunctionFromRequest
{
    meta:
        description = "PHP page where a request parameter names the function and another its argument"
        why = "The visitor picks the function that runs: system, assert or any other"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /\$_(GET|POST|REQUEST|COOKIE)\s{0,3}[\[{][^\]}\n]{1,30}[\]}]\s{0,3}\(\s{0,3}[^)\n]{0,40}\$_(GET|POST|REQUEST|COOKIE|SERVER)\b/i
        $b = /\(\s{0,3}\$_=\s{0,3}@?\$_(GET|POST|REQUEST|COOKIE)\s{0,3}\[[^\]\n]{1,20}\]\s{0,3}\)\s{0,4}\.\s{0,3}@?\$_\s{0,3}\(/i
        $c = /new\s{1,4}ReflectionFunction\s{0,3}\(\s{0,3}\$_(GET|POST|REQUEST|COOKIE)\b/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_SplitFunctionName
{
    meta:
        description = "PHP page that spells assert, system or base64_decode in glued or coded pieces"
        why = "A function name is cut up only to keep it from a scanner; beside it stands request input"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $s1 = /['"](a|as|ass|asse)['"]\s?\.\s?['"](s?sert|sert|ert|rt)['"]/i
        $s2 = /['"]a['"]\s?\.\s?['"]s['"]\s?\.\s?['"]s['"]\s?\.\s?['"]e['"]\s?\.\s?['"]r['"]/i
        $s3 = /['"](s|sy|sys|syst)['"]\s?\.\s?['"](ystem|stem|tem|em)['"]/i
        $s4 = /['"](b|ba|bas|base|base6|base64)['"]\s?\.\s?['"](ase64_decode|se64_d|e64_d|64_d|4_d|64_['"]\s?\.\s?['"]d)/i
        $s5 = /['"]shell['"]\s?\.\s?['"]_exec['"]|['"]pass['"]\s?\.\s?['"]thru['"]/i
        $h1 = "\\x61\\x73\\x73\\x65\\x72\\x74" nocase
        $h2 = "\\x62\\x61\\x73\\x65\\x36\\x34\\x5f\\x64" nocase
        $h3 = "\\x73\\x79\\x73\\x74\\x65\\x6d" nocase
        $h4 = "\\145\\166\\141\\154"
        $h5 = "\\x65\\x76\\x61\\x6c\\x28" nocase
        $n1 = /chr\(97\)\s?\.\s?chr\(115\)\s?\.\s?chr\(115\)\s?\.\s?chr\(101\)/i
        $n2 = /chr\(115\)\s?\.\s?chr\(121\)\s?\.\s?chr\(115\)\s?\.\s?chr\(116\)/i
        $n3 = /chr\(98\)\s?\.\s?chr\(97\)\s?\.\s?chr\(115\)\s?\.\s?chr\(101\)\s?\.\s?chr\(54\)/i
        $r1 = "tressa" fullword nocase
        $r2 = "edoced_46esab" nocase
        $input = /\$(GLOBALS\[['"])?\{?['"]?_(GET|POST|REQUEST|COOKIE)\b/
        $call = /\$\{?['"]?\w{1,20}['"]?\}?(\[[^\]\n]{1,12}\])?\s?\(\s?[^)\n;]{0,60}(\$_(GET|POST|REQUEST|COOKIE)\b|\$\w{1,20}\s?\()/
    condition:
        Tocsin_PHP_Private_Page and filesize < 256KB and $input and $call and
        any of ($s*, $h*, $n*, $r*)
}

rule Tocsin_PHP_WebShell_NonAlphanumeric
{
    meta:
        description = "PHP code that makes names by XOR of punctuation or by counting up letters"
        why = "Code without letters has no purpose but to slip past filters; it ends in eval or assert"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $xor = /\(\s?['"][^'"\n]{1,4}['"]\s?\^\s?['"][^'"\n]{1,4}['"]\s?\)\s?\.\s?\(\s?['"][^'"\n]{1,4}['"]\s?\^\s?['"][^'"\n]{1,4}['"]\s?\)/
        $xor2 = /\$_{1,6}\s?=\s?['"][^'"\n]{4,40}['"]\s?\^\s?['"][^'"\n]{4,40}['"]\s?;/
        $inc = /\$_{1,8}\+\+\s?;\s?\$_{1,8}\+\+\s?;\s?\$_{1,8}\+\+\s?;\s?\$_{1,8}\+\+\s?;/
        $call = /\$\{?\$?_{1,8}\}?(\[\$?_{0,8}['"]?[^\]\n]{0,6}\])?\s?\(\s?@?\$\{?\$?_/
        $call2 = /@?\$_{1,8}\s?\(\s?\$\{?\$?_{1,8}[\[{]/
    condition:
        Tocsin_PHP_Private_Page and filesize < 128KB and any of ($xor, $xor2, $inc) and
        any of ($call, $call2)
}

rule Tocsin_PHP_WebShell_WriteRequest
{
    meta:
        description = "PHP page that writes a file whose name and content both come from the request"
        why = "An upload hole with no check: a visitor plants any page on the server"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $put = /file_put_contents\s{0,3}\(\s{0,3}[^,;\n]{0,40}\$_(GET|POST|REQUEST|COOKIE)\s{0,3}\[[^\]\n]{1,30}\]\s{0,4},\s{0,4}[^;\n]{0,40}(\$_(GET|POST|REQUEST|COOKIE)\b|php:\/\/input)/i
        $fetch = /(file_put_contents|copy)\s{0,3}\(\s{0,3}[^,;\n]{0,40}\$_(GET|POST|REQUEST)\s{0,3}\[[^\]\n]{1,30}\]\s{0,4},\s{0,4}file_get_contents\s{0,3}\(\s{0,3}\$_(GET|POST|REQUEST)/i
        $fwrite = /fwrite\s{0,3}\(\s{0,3}fopen\s{0,3}\(\s{0,3}\$_(GET|POST|REQUEST)\s{0,3}\[[^\]\n]{1,30}\]\s{0,4},\s{0,4}['"][wa]b?\+?['"]\s{0,4}\)\s{0,4},\s{0,4}[^;\n]{0,40}\$_(GET|POST|REQUEST)/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_RemoteInclude
{
    meta:
        description = "PHP page that evaluates or includes code fetched from a URL or the request"
        why = "What the page does is decided elsewhere at each visit: a remotely fed back door"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /\b(eval|assert)\s{0,3}\(\s{0,3}(['"]\?>['"]\s{0,3}\.\s{0,3})?@?(file_get_contents|curl_exec|stream_get_contents)\s{0,3}\(\s{0,3}(base64_decode\s{0,3}\(\s{0,3})?['"](https?:\/\/|aHR0c)/i
        $b = /[;{}\n?]\s{0,8}@?(include|require)(_once)?\s{0,3}\(?\s{0,3}['"](php:\/\/input|data:(\/\/)?text\/plain|https?:\/\/)/i
        $c = /[;{}\n?]\s{0,8}@(include|require)(_once)?\s{0,3}\(?\s{0,3}\$_(GET|POST|REQUEST|COOKIE)\b/i
    condition:
        Tocsin_PHP_Private_Page and any of them
}

rule Tocsin_PHP_WebShell_FileManager
{
    meta:
        description = "PHP page with the tool set of an all-in-one shell: files, commands, host facts"
        why = "The mix of command line, file editor, upload and host inventory marks attackers' consoles"
        reference = "T1505.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $f1 = "disable_functions" nocase
        $f2 = "php_uname" nocase
        $f3 = "posix_getpwuid" nocase
        $f4 = "fileperms" nocase
        $f5 = "move_uploaded_file" nocase
        $cmd = /\b(shell_exec|passthru|proc_open)\s?\(/ nocase
        $f7 = "open_basedir" nocase
        $f8 = "getcwd(" nocase
        $f9 = "safe_mode" nocase
        $f10 = "set_time_limit(0)" nocase
        $w1 = /(web|mini|priv8|bypass|uploader)[ _-]?shell/ nocase
        $w2 = "/etc/passwd"
        $w3 = /back[ _-]?connect/ nocase
        $w4 = "deface" nocase
        $w5 = "symlink(" nocase
        $input = /\$_(GET|POST|REQUEST)\s?\[/
    condition:
        Tocsin_PHP_Private_Page and filesize < 512KB and $input and $cmd and 4 of ($f*) and 2 of ($w*)
}

rule Tocsin_PHP_WebShell_ImagePolyglot
{
    meta:
        description = "Picture file that carries PHP code reading the request or running commands"
        why = "Passes upload checks as a picture and runs as a page when the server lets it"
        reference = "T1036.008"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $php = /<\?(php|=)[\s@`$\/(]/ nocase
        $act = /(eval|assert|system|passthru|shell_exec|exec|base64_decode|move_uploaded_file|file_put_contents)\s{0,3}\(|`\$_/ nocase
        $input = /\$_(GET|POST|REQUEST|COOKIE|FILES|SERVER)\s{0,3}\[/
    condition:
        filesize < 5MB and
        (
            uint32be(0) == 0x47494638 or uint32be(0) == 0x89504e47 or uint16be(0) == 0xffd8 or
            (uint16be(0) == 0x424d and uint32(2) == filesize)
        ) and
        $php and $act and $input
}

rule Tocsin_PHP_WebShell_HtaccessHandler
{
    meta:
        description = "Apache directory file that makes the server run pictures or text files as PHP"
        why = "Prepares a directory so that an uploaded harmless-looking file becomes a web shell"
        reference = "T1505.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $type = /(^|\n)[ \t]{0,8}(AddType|AddHandler)[ \t]{1,4}["']?(application\/x-httpd-php|php\d?-script|application\/x-php)\S{0,12}[ \t][^\n]{0,60}\.(jpe?g|png|gif|ico|txt|css|bmp|webp|svg|log)\b/i
        $match = /<Files(Match)?[ \t]{1,3}[^>\n]{0,60}(jpe?g|png|gif|ico|txt|webp)[^>\n]{0,30}>\s{1,20}(SetHandler|ForceType)[ \t]{1,4}["']?application\/x-httpd-php/i
        $input = /(^|\n)[ \t]{0,8}php_value[ \t]{1,4}auto_(ap|pre)pend_file[ \t]{1,4}["']?(php:\/\/input|data:|\/tmp\/|\S{1,60}\.(jpe?g|png|gif|ico|txt)\b)/i
    condition:
        filesize < 32KB and any of them and not uint16be(0) == 0x2321
}

rule Tocsin_ASP_WebShell_EvalRequest
{
    meta:
        description = "ASP page that evaluates or executes text taken from the request"
        why = "The visitor sends the program: a one-line web shell for IIS"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $vbs = /<%[^%]{0,200}\b(eval|execute|executeglobal)[\s(]{1,4}(\w{1,20}\s{0,2}\(\s{0,2}){0,2}request\s{0,2}(\.(form|item|querystring))?\s{0,2}\(/i
        $js = /\beval\s{0,3}\(\s{0,3}(\w{1,40}(\.\w{1,40}){0,6}\s{0,2}\(){0,3}\s{0,3}Request\s{0,2}(\.(Form|Item|QueryString))?\s{0,2}[\[(][^;\n]{1,80}/i
        $unsafe = /['"]unsafe['"]\s{0,3}\)/i
        $page = "<%"
        $jscript = /language\s?=\s?["']?(c#|vb|jscript)/i
    condition:
        filesize < 512KB and uint16be(0) != 0x4d5a and
        ($vbs or ($page and $js and ($unsafe or $jscript)))
}

rule Tocsin_ASP_WebShell_CommandRequest
{
    meta:
        description = "ASP or ASP.NET page that starts cmd.exe or PowerShell with request input"
        why = "The visitor chooses the command line that the web server runs"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $page = "<%"
        $w1 = /CreateObject\s{0,2}\(\s{0,2}["']WScript\.Shell(\.1)?["']/i
        $w2 = /\.(exec|run)\s{0,3}\(?\s{0,3}[^\n]{0,80}(request\s{0,2}(\.(form|querystring|item))?\s{0,2}\(|\bcmd\b)/i
        $n1 = /ProcessStartInfo|Process\.Start\s?\(|new\s{1,3}Process\s?\(/i
        $n2 = /["'](c:\\\\?windows\\\\?system32\\\\?)?(cmd(\.exe)?|powershell(\.exe)?)["']/i
        $n3 = /RedirectStandardOutput|StandardOutput\.ReadToEnd/i
        $req = /\bRequest\s{0,2}(\.(Form|QueryString|Item|Params|Headers|Cookies))?\s{0,2}[\[(]\s{0,2}["']|runat\s?=\s?["']?server["']?[^>\n]{0,80}onclick|\.Text\b/i
    condition:
        filesize < 512KB and uint16be(0) != 0x4d5a and $page and $req and
        (($w1 and $w2) or ($n1 and $n2 and $n3))
}

rule Tocsin_ASP_WebShell_AssemblyLoad
{
    meta:
        description = "ASP.NET page or handler that loads a .NET assembly sent in the request"
        why = "Runs compiled code from the visitor in memory, leaving nothing on disk"
        reference = "T1620"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $page = /<%@\s{0,4}(Page|WebHandler|WebService|Language)/i
        $load = /(Reflection\.)?Assembly\.Load\s?\(|GetMethod\s?\(\s?"Load"/
        $load2 = /typeof\(\s?(System\.)?Reflection\.Assembly\)/
        $from = /Request\.(BinaryRead|InputStream|Form|Item|Headers)|Context\.Request\s?\[|Request\s?\[|FromBase64String\s?\(/
        $crypt = /RijndaelManaged|CreateDecryptor|FromBase64String/
        $make = /CreateInstance\s?\(|\.Invoke\s?\(/
    condition:
        filesize < 512KB and $page and any of ($load*) and $from and $crypt and $make
}

rule Tocsin_ASP_WebShell_WebConfigCode
{
    meta:
        description = "web.config that maps .config to the ASP engine and carries ASP code itself"
        why = "Turns an uploadable configuration file into a page that runs code"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $map = /path\s?=\s?["'](\*|web)\.config["'][^>]{0,300}(asp\.dll|System\.Web\.UI\.PageHandlerFactory|isapi)/i
        $code = /<%[^%]{0,400}(request|CreateObject|eval|Response\.Write)/i
        $conf = "<configuration" nocase
    condition:
        filesize < 128KB and $conf and $map and $code
}

rule Tocsin_JSP_WebShell_ExecRequest
{
    meta:
        description = "JSP page that passes a request parameter to a new process"
        why = "The visitor chooses the command that the application server runs"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $page = /<%|<jsp:(scriptlet|declaration|root)/i
        $direct = /(get[R]untime\s?\(\s?\)\s?\.\s?exec|new\s{1,4}Process[B]uilder)\s?\(\s{0,4}[^;]{0,120}(request|req)\s?\.\s?get(Parameter|Header|Attribute)\s?\(/
        $take = /\bString\s{0,2}(\[\])?\s{0,2}\w{1,24}\s?=\s?[^;\n]{0,60}(request|req)\s?\.\s?get(Parameter|Header)\s?\(\s?"(cmd|c|command|exec|shell|i|pwd|passwd|x|run)"/
        $run = /get[R]untime\s?\(\s?\)\s?\.\s?exec\s?\(|new\s{1,4}Process[B]uilder\s?\(/
        $out = "getInputStream"
        $el = /\$\{\s?(Runtime|"".getClass\(\)|pageContext|param\.)[^}\n]{0,160}exec\s?\(\s?param\./
    condition:
        filesize < 512KB and uint32be(0) != 0x504b0304 and
        ($el or ($page and ($direct or ($take and $run and $out))))
}

rule Tocsin_JSP_WebShell_DefineClass
{
    meta:
        description = "JSP page that decodes or decrypts a class from the request and defines it"
        why = "Runs Java byte code sent by the visitor in memory: the usual modern JSP shell"
        reference = "T1620"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $page = /<%|<jsp:(scriptlet|declaration|root)/i
        $loader = /extends\s{1,4}(java\.lang\.)?ClassLoader|getDeclaredMethod\s?\(\s?"defineClass"/
        $define = "defineClass"
        $decode = /BASE64Decoder|Base64\.getDecoder|DatatypeConverter|Cipher\.getInstance|"decodeBuffer"/
        $input = /(request|req)\s?\.\s?(getParameter|getReader|getInputStream|getHeader)\s?\(/
        $new = /newInstance\s?\(|\.equals\s?\(\s?pageContext/
    condition:
        filesize < 512KB and uint32be(0) != 0x504b0304 and all of them
}

rule Tocsin_JSP_WebShell_EscapedNames
{
    meta:
        description = "JSP page that writes the names of the process functions in unicode escapes"
        why = "Java accepts escapes in source; pages use that only to hide the names from scanners"
        reference = "T1027.010"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $page = /<%|<jsp:(scriptlet|declaration|root)/i
        $runtime = /\\u{1,4}0052\\u{1,4}0075\\u{1,4}006e\\u{1,4}0074\\u{1,4}0069\\u{1,4}006d/i
        $exec = /\\u{1,4}0065\\u{1,4}0078\\u{1,4}0065\\u{1,4}0063/i
        $builder = /\\u{1,4}0050\\u{1,4}0072\\u{1,4}006f\\u{1,4}0063\\u{1,4}0065\\u{1,4}0073\\u{1,4}0073/i
        $loader = /\\u{1,4}0043\\u{1,4}006c\\u{1,4}0061\\u{1,4}0073\\u{1,4}0073\\u{1,4}004c\\u{1,4}006f/i
    condition:
        filesize < 512KB and $page and any of ($runtime, $exec, $builder, $loader)
}

rule Tocsin_CFM_WebShell_ExecuteRequest
{
    meta:
        description = "ColdFusion page that runs cfexecute with request input"
        why = "The visitor chooses the program and its arguments"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /<cfexecute\s{1,6}[^>]{0,200}#\s?(form|url|cgi)\.\w{1,30}\s?#/i
        $b = /<cfexecute\s{1,6}[^>]{0,120}name\s?=\s?["']?(c:\\\S{0,30}\\)?(cmd|powershell)(\.exe)?["'][^>]{0,200}#\w{1,30}#/i
    condition:
        filesize < 256KB and any of them
}

rule Tocsin_Perl_WebShell_CgiCommand
{
    meta:
        description = "Perl CGI script that runs a cmd-like request parameter"
        why = "The visitor chooses the command line that the web server runs"
        reference = "T1505.003"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $head = /Content-type:\s{0,3}text\/(html|plain)|->header\b|\bheader\s?\(/ nocase
        $direct = /\b(system|exec|qx|open)\b\s?[({`\/]?\s?[^;\n]{0,30}param\s?\(\s?['"](cmd|c|command|exec|run|shell)['"]/
        $take = /my\s{1,3}\$(cmd|c|command|run)\s?=\s?[^;\n]{0,40}param\s?\(\s?['"](cmd|c|command|exec|run|shell)['"]/
        $run = /`\$\{?(cmd|c|command|run)\b[^`\n]{0,20}`|(system|exec)\s?\(?\s?["']?\$(cmd|c|command|run)\b|qx[{(\/!]\s?\$(cmd|c|command|run)\b|open\s?\(\s?\w{1,12}\s?,\s?["']\$(cmd|c|command|run)\b/
    condition:
        filesize < 128KB and uint16be(0) == 0x2321 and $head and ($direct or ($take and $run))
}

rule Tocsin_JS_WebShell_ExecRequest
{
    meta:
        description = "Node.js server code that passes a query or body field straight to a process"
        why = "The visitor chooses the command line: a web shell, or a hole just as bad"
        reference = "T1505.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $cp = /require\(\s?['"](node:)?child_process['"]\s?\)/
        $exec = /\.?\b(exec|execSync|spawn|spawnSync)\s?\(\s?(req|request|ctx|url\.parse\(\s?req\.url\s?,\s?true\s?\))\.?(query|body|params|headers|request\.body|request\.query)\b/
        $exec2 = /\b(exec|execSync)\s?\(\s?(url|querystring)\.parse\(\s?req\.url[^)\n]{0,20}\)\.query\b/
    condition:
        filesize < 256KB and $cp and any of ($exec*)
}

rule Tocsin_Python_WebShell_FlaskCommand
{
    meta:
        description = "Python web handler that passes a request field straight to a shell"
        why = "The visitor chooses the command line: a web shell, or a hole just as bad"
        reference = "T1505.003"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(os\.popen|os\.system|subprocess\.(getoutput|check_output|run|call|Popen))\s?\(\s?(request|self\.request|flask\.request)\.(args|form|values|params|headers|cookies|json|GET|POST)(\.get\(|\[)\s?['"](cmd|c|command|exec|shell|run|x)['"]/
        $b = /(eval|exec)\s?\(\s?(base64\.b64decode\(\s?)?(request|flask\.request)\.(args|form|values|headers|cookies)(\.get\(|\[)\s?['"]/
        $c = /os\.popen\s?\(\s?(form|fs|cgi\.FieldStorage\(\))(\.getvalue\(|\[|\.getfirst\()\s?['"](cmd|c|command|exec|run)['"]/
    condition:
        filesize < 256KB and any of them
}
