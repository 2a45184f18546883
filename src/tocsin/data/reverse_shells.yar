/*
  Reverse and bind shells: a socket tied to an interpreter's standard streams.

  Each rule describes one language's way of doing it.  The pattern asks for the pieces together
  (socket, duplication of descriptors, shell), since each piece alone is ordinary programming.
*/

rule Tocsin_Unix_ReverseShell_DevTcp
{
    meta:
        description = "Shell command that ties an interactive shell to bash's /dev/tcp device"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $redirect = /\b(ba|z|k|da)?sh\s{1,3}(-i|-li|-l|-c\s{1,2}['"]?(ba)?sh\s{1,2}-i)\s{0,3}(>&|&>|>\s{0,2}|<\s{0,2}|[0-9]{1,3}>)\s{0,3}\/dev\/(tcp|udp)\/[A-Za-z0-9.$\{\}_:-]{1,80}\/[0-9$\{]/
        $swap = /0<&[0-9]{1,3}\s{0,3}-?;\s{0,3}exec\s{1,3}[0-9]{1,3}<>\s{0,2}\/dev\/(tcp|udp)\/[A-Za-z0-9.$\{\}_:-]{1,80}\/[0-9$\{][^\n]{0,80}sh\s{0,2}<&/
        $loop = /exec\s{1,3}[0-9]{1,3}<>\s{0,2}\/dev\/(tcp|udp)\/[A-Za-z0-9.$\{\}_:-]{1,80}\/[0-9$\{][^\n]{0,20}[\s;]{1,6}(cat\s{0,3}<&[0-9]{1,3}\s{0,3}\|\s{0,3}while\s{1,3}read|while\s{1,3}read)[^\n]{0,80}(2>&[0-9]|>&[0-9])/
        $dup = /exec\s{1,3}[0-9]{1,3}<>\s{0,2}\/dev\/(tcp|udp)\/[^\n]{1,120}[\s;&]{1,4}(\/bin\/)?(ba)?sh(\s{1,2}-i)?\s{0,3}(<&|>&|0<&)/
    condition:
        filesize < 5MB and any of them
}

rule Tocsin_Unix_ReverseShell_NetcatExec
{
    meta:
        description = "netcat started with the option that runs a shell over the connection"
        why = "nc -e or ncat --exec with a shell is a remote command line, inbound or outbound"
        reference = "T1059.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $unix = /\b(nc|ncat|netcat|nc\.traditional|busybox\s{1,2}nc)\s{1,3}([A-Za-z0-9.:_-]{1,60}\s{1,3}){0,5}(-[a-z]{0,6}[ec]|--exec|--sh-exec|-c)\s{1,3}["']?(\/(usr\/)?bin\/)?(ba|da|z|k)?sh\b["']?\s{0,3}([^\n]{0,60}[0-9]{1,5}|[\n;&|"'\x00)]|-i)/
        $first = /\b(nc|ncat|netcat)\s{1,3}(-[a-z]{1,6}\s{1,2}){0,2}[A-Za-z0-9.-]{4,60}\s{1,2}[0-9]{1,5}\s{1,2}(-[a-z]{0,4}e|--exec|--sh-exec)\s{1,3}["']?(\/(usr\/)?bin\/)?(ba|da|z|k)?sh\b/
        $win = /\b(nc|nc64|ncat|netcat)(\.exe)?\s{1,3}([A-Za-z0-9.:_-]{1,60}\s{1,3}){0,5}(-[a-z]{0,6}e|--exec)\s{1,3}["']?(c:\\windows\\system32\\)?(cmd|powershell)(\.exe)?\b/i
    condition:
        filesize < 1MB and any of them and uint32be(0) != 0x7f454c46
}

rule Tocsin_Unix_ReverseShell_FifoPipe
{
    meta:
        description = "Named pipe that loops a shell's output into netcat, telnet or openssl and back"
        why = "The classic reverse shell where netcat has no exec option"
        reference = "T1059.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(mkfifo|mknod)\s{1,3}[^\s;&|]{1,60}(\s{1,2}p)?\s{0,3}(;|&&|&|\n)[^\n]{0,120}\|\s{0,3}(\/(usr\/)?bin\/)?(ba|da)?sh\b[^\n]{0,40}\|\s{0,3}(nc|ncat|netcat|telnet|openssl\s{1,2}s_client|socat|busybox\s{1,2}nc)\s[^\n]{0,120}>\s{0,3}\S/
        $b = /(mkfifo|mknod)\s{1,3}[^\s;&|]{1,60}(\s{1,2}p)?\s{0,3}(;|&&|&|\n)[^\n]{0,60}\b(ba|da)?sh\s{1,2}-i\s{0,3}<\s{0,3}[^\n]{1,40}2>&1\s{0,3}\|\s{0,3}(nc|ncat|netcat|telnet|openssl\s{1,2}s_client)\s/
        $c = /\btelnet\s{1,2}[A-Za-z0-9.-]{4,60}\s{1,2}[0-9]{1,5}\s{0,3}\|\s{0,3}(\/bin\/)?(ba)?sh\s{0,3}\|\s{0,3}telnet\s/
        $d = /(mkfifo|mknod)\s{1,3}[^\s;&|]{1,60}(\s{1,2}p)?\s{0,3}(;|&&|&|\n)[^\n]{0,20}(nc|ncat|telnet)\s[^\n]{3,80}<\s{0,2}\S{1,40}\s{0,3}\|\s{0,3}(\/bin\/)?(ba)?sh\s{0,3}(1|2|&)?>/
    condition:
        filesize < 1MB and any of them
}

rule Tocsin_Python_ReverseShell_SocketDup
{
    meta:
        description = "Python code that connects out, copies the socket over 0, 1, 2 and runs a shell"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059.006"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $dup = /os\.dup2\s{0,2}\(\s{0,2}\w{1,20}\.fileno\s{0,2}\(\s{0,2}\)\s{0,2},\s{0,2}[0-2f]/
        $list = /\[\s?os\.dup2\s{0,2}\(\s{0,2}\w{1,20}\.fileno\(\)\s?,\s?\w{1,6}\s?\)\s?for\s/
        $conn = /\.connect\s{0,2}\(\s{0,2}\(/
        $shell = /(pty\.spawn|subprocess\.(call|run|Popen)|os\.(system|execl|execv|execve))\s{0,2}\(\s{0,2}\[?\s{0,2}["'](\/(usr\/)?bin\/)?(ba|da|z)?sh\b/
    condition:
        filesize < 256KB and $conn and $shell and any of ($dup, $list)
}

rule Tocsin_Python_ReverseShell_CommandLoop
{
    meta:
        description = "Python loop that receives commands from a socket, runs them, returns the output"
        why = "A remote command line; the cross-platform kind of back door written in Python"
        reference = "T1059.006"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $conn = /\.connect\s{0,2}\(\s{0,2}\(\s{0,2}["'\w]/
        $loop = /while\s{1,2}(True|1|not\s{1,2}\w{1,12})\s{0,2}:/
        $run = /subprocess\.(Popen|check_output|getoutput|run)\s{0,2}\(\s{0,4}(\w{1,20}|\w{1,20}\.decode\([^)\n]{0,20}\)|\w{1,20}\[[^\]\n]{1,8}\](\.decode\([^)\n]{0,20}\))?)\s{0,2},\s{0,4}[^\n]{0,30}shell\s?=\s?True|os\.popen\s?\(\s?\w{1,20}(\.decode\(\))?\s?\)\.read/
        $recv = /\w{1,20}\s?=\s?\w{1,20}\.recv\s?\(\s?[0-9]{3,6}\s?\)/
        $send = /\.send(all)?\s?\(/
        $cd = /==\s?b?["'](exit|quit|terminate)["']|startswith\s?\(\s?b?["']cd\b|\[:2\]\s?==\s?b?["']cd["']|os\.chdir\s?\(/
    condition:
        filesize < 128KB and all of them
}

rule Tocsin_Perl_ReverseShell_SocketDup
{
    meta:
        description = "Perl code that reopens its standard streams on a socket and runs a shell"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $in = /open\s?\(?\s?STDIN\s?,\s?["']?\s?[<>]{1,2}&\s?=?\s?['"]?\$?\w/
        $out = /open\s?\(?\s?STDOUT\s?,\s?["']?\s?>{1,2}&\s?=?\s?['"]?\$?\w/
        $sock = /\bconnect\s?\(|IO::Socket::INET\s?->\s?new|IO::Socket::INET\s?\(/
        $exec = /\b(exec|system)\s?[({]?\s?["'{]{0,2}(\/(usr\/)?bin\/)?(ba|da)?sh\b/
        $fdopen = /STDIN->fdopen\s?\(\s?\$\w{1,12}\s?,\s?[rw]\s?\)[^\n]{0,120}(system|exec|`)\s{0,2}\$_/
    condition:
        filesize < 128KB and $sock and ($fdopen or ($in and $out and $exec))
}

rule Tocsin_Ruby_ReverseShell_TcpSocket
{
    meta:
        description = "Ruby code that feeds what a TCP socket says to a shell"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $fd = /TCPSocket\.(open|new)\s?\(\s?["'][^)\n]{3,80}\)\.to_i[^\n]{0,40}exec\s?\(?\s?(sprintf|["']\/bin\/)/
        $loop = /TCPSocket\.(open|new)\s?\(\s?["'][^)\n]{3,80}\)[\s;]{1,10}while\s?\(?\s?\w{1,12}\s?=\s?\w{1,12}\.gets\s?\)?[\s;]{0,10}(\w{1,10}\s?=\s?)?(IO\.popen|`#\{)/
        $reopen = /\[?\s?\$std(in|out|err)\s?,?[^\n]{0,40}\.reopen\s?\(?\s?(\w{1,10}|TCPSocket)[^\n]{0,60}[\s;]{1,10}[^\n]{0,60}(exec|system)\s?\(?\s?["'](\/bin\/)?(ba)?sh/
    condition:
        filesize < 128KB and any of them
}

rule Tocsin_PHP_ReverseShell_Fsockopen
{
    meta:
        description = "PHP code that ties a shell process to a socket opened with fsockopen"
        why = "Hands the web server's command line to a remote listener"
        reference = "T1059"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $short = /(fsockopen|stream_socket_client|pfsockopen)\s?\(\s?["'][^)\n]{3,80}\)\s?;\s{0,4}@?(exec|shell_exec|system|passthru|popen|proc_open|`)\s?\(?\s?["'`]?(\/bin\/)?(ba)?sh\b[^\n]{0,30}[<>]/
        $open = /(fsockopen|stream_socket_client|socket_connect)\s?\(/
        $proc = /proc_open\s?\(\s?(["'][^"'\n]{0,60}(\/bin\/)?(ba)?sh\b|["']cmd(\.exe)?["']|\$\w{1,12})\s?[^,\n]{0,40},/
        $shell = /["'][^"'\n]{0,60}(\/bin\/(ba)?sh\b( -i)?|\bcmd\.exe)/
        $pump = /stream_select\s?\(|socket_read\s?\(|fread\s?\(\s?\$sock/
        $pipes = /\$pipes\s?\[\s?0\s?\]/
    condition:
        filesize < 128KB and ($short or ($open and $proc and $shell and $pump and $pipes))
}

rule Tocsin_PowerShell_ReverseShell_TcpClient
{
    meta:
        description = "PowerShell that reads commands from a TCP stream and answers with their output"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059.001"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $client = /Net\.Sockets\.TCP(Client|Listener)/ nocase
        $stream = ".GetStream(" nocase
        $iex = /\b(iex|invoke-expression)\b|\[scriptblock\]::create|cmd\.exe|-filename powershell/ nocase
        $out = /\|\s{0,2}Out-String|2>&1|RedirectStandardOutput/ nocase
        $loop = /while\s{0,2}\(/ nocase
        $write = /\.Write\s?\(/ nocase
        $read = /\.Read(Line)?\s?\(/ nocase
    condition:
        filesize < 1MB and uint16be(0) != 0x4d5a and all of them
}

rule Tocsin_Unix_ReverseShell_Socat
{
    meta:
        description = "socat joining a TCP or TLS peer to a shell"
        why = "A full interactive remote command line in one command"
        reference = "T1059.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /socat\s[^\n]{0,80}exec:\s?["']{0,2}\\?["']?(\/(usr\/)?bin\/)?(ba|da|z|k)?sh\b[^\n]{0,100}(tcp4?|tcp6|openssl|tcp-connect|udp)[:-][^\n]{0,60}[0-9]/i
        $b = /socat\s[^\n]{0,30}(tcp4?|tcp6|openssl|tcp-connect|tcp-listen|openssl-connect|udp)(-connect|-listen)?:[^\n]{1,80}\s["']?exec:\s?["']{0,2}\\?["']?(\/(usr\/)?bin\/)?(ba|da|z|k)?sh\b/i
    condition:
        filesize < 1MB and any of them
}

rule Tocsin_Unix_ReverseShell_AwkInet
{
    meta:
        description = "gawk loop that reads commands from an /inet socket and runs them"
        why = "A remote command line that needs nothing but awk"
        reference = "T1059.004"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /\/inet\/(tcp|udp)\/0\/[^\s"']{3,60}[^\n]{0,200}\|&\s?getline\s?\w{0,10}[^\n]{0,160}\w{1,10}\s?\|&?\s?getline[^\n]{0,120}print[^\n]{0,40}\|&/
        $inet = /\/inet\/(tcp|udp)\/0\/["'\s]{0,4}\w/
        $from = /\|&\s?getline\s?(cmd|c)\b/
        $run = /\b(cmd|c)\s?\|&?\s?getline/
    condition:
        filesize < 64KB and ($a or ($inet and $from and $run))
}

rule Tocsin_Lua_ReverseShell_Socket
{
    meta:
        description = "Lua code that runs what a TCP socket sends with io.popen or os.execute"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059.011"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $req = /require\s?\(?\s?["']socket["']/
        $conn = /socket\.tcp\s?\(|:connect\s?\(|socket\.connect\s?\(/
        $loop = /while\s{1,2}true\s{1,2}do/
        $recv = /:receive\s?\(/
        $popen = /io\.popen\s?\(\s?\w{1,16}\s?,?/
        $send = /:send\s?\(/
        $fd = /os\.execute\s?\(\s?["'](\/bin\/)?(ba)?sh\s-i\s?<&\s?[0-9]/
    condition:
        filesize < 64KB and $req and $conn and ($fd or ($loop and $recv and $popen and $send))
}

rule Tocsin_JS_ReverseShell_NodeNet
{
    meta:
        description = "Node.js code that pipes a TCP connection into a spawned shell and back"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059.007"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $net = /require\s?\(\s?["'](node:)?(net|tls)["']\s?\)/
        $cp = /require\s?\(\s?["'](node:)?child_process["']\s?\)/
        $shell = /(spawn|exec|execFile)\s?\(\s?["'](\/(usr\/)?bin\/)?((ba|da|z)?sh|cmd(\.exe)?|powershell(\.exe)?)["']/
        $in = /\.pipe\s?\(\s?\w{1,16}\.stdin\s?\)/
        $out = /\.stdout\.pipe\s?\(/
    condition:
        filesize < 256KB and all of them
}

rule Tocsin_Java_ReverseShell_Socket
{
    meta:
        description = "Java or Groovy code that pumps bytes between a socket and a shell process"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $shell = /["'](\/bin\/(ba)?sh|cmd(\.exe)?|powershell(\.exe)?)["']/
        $sock = /new\s{1,3}Socket\s?\(/
        $proc = /redirectErrorStream\s?\(\s?true\s?\)|getRuntime\s?\(\s?\)\s?\.\s?exec/
        $pin = /=\s?\w{1,12}\.getInputStream\s?\(\s?\)/
        $pump = /while\s?\(\s?\w{1,12}\.available\s?\(\s?\)\s?>\s?0\s?\)\s{0,4}\w{1,12}\.write\s?\(\s?\w{1,12}\.read\s?\(\s?\)/
        $closed = /!\s?\w{1,12}\.isClosed\s?\(/
    condition:
        filesize < 256KB and all of them
}

rule Tocsin_Go_ReverseShell_Dial
{
    meta:
        description = "Go source that connects out and gives the connection to a shell's streams"
        why = "Hands the machine's command line to a remote listener"
        reference = "T1059"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $dial = /(net|tls)\.Dial\s?\(\s?["'`](tcp|udp)/
        $cmd = /exec\.Command\s?\(\s?["'`](\/bin\/)?((ba)?sh|cmd(\.exe)?|powershell(\.exe)?)["'`]/
        $in = /\.Stdin\s?=\s?\w{1,16}/
        $out = /\.Stdout\s?=\s?\w{1,16}/
        $run = /\.(Run|Start)\s?\(\s?\)/
    condition:
        filesize < 128KB and all of them
}

rule Tocsin_C_ReverseShell_Dup2Execve
{
    meta:
        description = "C source that connects a socket, copies it over 0, 1 and 2 and runs a shell"
        why = "The textbook reverse shell; a server has no reason to hand sh to a peer it dials"
        reference = "T1059"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $inc = /#include\s?<(sys\/socket|winsock2?)\.h>/
        $conn = /\b(connect|WSAConnect)\s?\(\s?\w{1,20}\s?,/
        $d0 = /\bdup2\s?\(\s?\w{1,20}\s?,\s?(0|STDIN_FILENO|i|fd)\s?\)/
        $d1 = /\bdup2\s?\(\s?\w{1,20}\s?,\s?(1|STDOUT_FILENO|i|fd)\s?\)/
        $sh = /\bexec(l|le|lp|v|ve|vp)\s?\(\s?["']\/bin\/(ba)?sh["']/
        $wstd = /hStd(Input|Output|Error)\s?=\s?[^;\n]{0,80}\(HANDLE\)\s?\w{1,12}\s?;/
        $wcmd = /CreateProcess[AW]?\s?\([^;]{0,60}["']cmd(\.exe)?["']/
    condition:
        filesize < 128KB and $inc and $conn and (($d0 and $d1 and $sh) or ($wstd and $wcmd))
}
