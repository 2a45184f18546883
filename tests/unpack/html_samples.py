"""Pages and scripts that hold something, built when asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable

INNER = b"PK\x03\x04" + b"the file that is inside, " * 8

SCRIPT = (
    b'var name = "a" + "b"; // joined\r\nfunction shown(x, y) { return x + y; }\r\n'
    b'document.write(unescape("%41%42")); eval("var z = 1;");'
)

PAGE = (
    b"<HTML><Head><TITLE>Foo &amp; Bar</TITLE></HEAD><!-- no -->"
    b"<BODY onLoad='Go()' bgcolor=#FFF>\r\n"
    b'<A HREF=http://x.example/A?b=c&amp;d>Hello   World</A><script type="text/javascript">'
    + SCRIPT
    + b"</script>\r\n<p>text &#65; &#x42;&lt;&nbsp;&eacute;<br/></p></BODY></HTML>\r\n"
)


def page() -> bytes:
    """A page with a script, a file in an address and one in a list of numbers."""
    address = b"data:application/zip;base64," + base64.b64encode(INNER)
    numbers = b",".join(b"%d" % byte for byte in INNER)
    return PAGE.replace(
        b"</BODY>",
        b'<a href="' + address + b'">x</a><iframe srcdoc="&lt;html&gt;inner page&lt;/html&gt;">'
        b"</iframe><script>new Uint8Array([" + numbers + b"])</script></BODY>",
    )


def page_in_gif() -> bytes:
    """A picture with a page behind it."""
    return b"GIF89a\x01\x00\x01\x00\x00\x00\x00;" + PAGE


def script() -> bytes:
    """A PowerShell command in which another is encoded."""
    command = base64.b64encode("Write-Host 'the inner command'".encode("utf-16-le"))
    return b"powershell.exe -NoP -Enc " + command + b'\r\n$a = "{1}{0}" -f "lo","hel"\r\n'


SAMPLES: dict[str, Callable[[], bytes]] = {
    "html": page,
    "html_in_gif": page_in_gif,
    "script": script,
}
