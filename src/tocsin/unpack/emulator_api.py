"""The functions of Windows that unpacking stubs call: how many arguments, and what they do.

A function that is not listed ends the emulation, because its caller's stack cannot be kept in
order; so does one that only a program calls, not what unpacks it, once something has been
unpacked. Source of the numbers of arguments: Microsoft's reference of the Windows API.
"""

from __future__ import annotations

_BY_COUNT = {
    0: """GetTickCount GetTickCount64 GetCurrentProcess GetCurrentProcessId GetCurrentThread
        GetCurrentThreadId GetLastError GetProcessHeap IsDebuggerPresent GetACP GetOEMCP
        GetCommandLineA GetCommandLineW GetVersion RtlGetLastWin32Error TlsAlloc SwitchToThread
        GetSystemDefaultLangID GetUserDefaultLangID GetUserDefaultLCID GetSystemDefaultLCID
        GetEnvironmentStrings GetEnvironmentStringsW GetForegroundWindow GetDesktopWindow
        AreFileApisANSI GetLogicalDrives NtGetCurrentProcessorNumber GetActiveWindow""",
    1: """LoadLibraryA LoadLibraryW GetModuleHandleA GetModuleHandleW FreeLibrary ExitProcess
        CloseHandle GlobalFree LocalFree GlobalLock GlobalUnlock GlobalSize LocalLock LocalUnlock
        OutputDebugStringA OutputDebugStringW Sleep SetLastError GetStartupInfoA GetStartupInfoW
        ExitThread lstrlenA lstrlenW SetUnhandledExceptionFilter UnhandledExceptionFilter
        InitializeCriticalSection EnterCriticalSection LeaveCriticalSection
        DeleteCriticalSection HeapDestroy GetSystemInfo GetSystemTime GetLocalTime
        GetSystemTimeAsFileTime QueryPerformanceCounter QueryPerformanceFrequency
        GetVersionExA GetVersionExW TlsFree TlsGetValue FlsFree FlsGetValue FlsAlloc
        DisableThreadLibraryCalls SetErrorMode GetFileType GetStdHandle SetHandleCount
        FreeEnvironmentStringsA FreeEnvironmentStringsW EncodePointer DecodePointer
        RemoveVectoredExceptionHandler IsProcessorFeaturePresent DeleteFileA DeleteFileW
        GetDriveTypeA GetFileAttributesA GetFileAttributesW LockResource SizeOfResource
        FreeResource PostQuitMessage GetDC GetSystemMetrics GetKeyState GetAsyncKeyState
        ResumeThread SuspendThread MessageBeep CoInitialize NtClose BlockInput
        InitializeSListHead GetThreadLocale LdrUnloadDll RtlDeleteCriticalSection
        RtlEnterCriticalSection RtlLeaveCriticalSection RtlInitializeCriticalSection
        SetThreadExecutionState GetPriorityClass FindClose RevertToSelf CharNextA""",
    2: """GetProcAddress GlobalAlloc LocalAlloc lstrcatA lstrcatW lstrcpyA lstrcpyW lstrcmpA
        lstrcmpW lstrcmpiA lstrcmpiW TerminateProcess TlsSetValue FlsSetValue
        AddVectoredExceptionHandler WaitForSingleObject GetWindowsDirectoryA
        GetSystemDirectoryA GetSystemDirectoryW GetFileSize GetFileSizeEx GetTempPathA
        GetTempPathW LoadResource SizeofResource FindWindowA FindWindowW IsBadReadPtr
        IsBadWritePtr IsBadCodePtr InterlockedExchange InterlockedExchangeAdd
        InitializeCriticalSectionAndSpinCount GetThreadContext SetThreadContext
        SetThreadPriority SetPriorityClass GetComputerNameA GetUserNameA CheckRemoteDebuggerPresent
        GetCurrentDirectoryA CreateToolhelp32Snapshot Process32First Process32Next
        Module32First Module32Next Thread32First Thread32Next LoadCursorA LoadIconA
        NtTerminateProcess ZwTerminateProcess NtUnmapViewOfSection ZwUnmapViewOfSection
        RtlInitUnicodeString RtlInitAnsiString GetWindowThreadProcessId WinExec
        TerminateThread FindFirstFileA ReleaseDC ShowWindow SwitchDesktop
        GetBinaryTypeA GetLongPathNameA""",
    3: """VirtualFree GetModuleFileNameA GetModuleFileNameW LoadLibraryExA LoadLibraryExW
        HeapCreate HeapFree HeapSize VirtualQuery lstrcpynA lstrcpynW OpenProcess OpenThread
        FindResourceA FindResourceW GetModuleHandleExA RtlMoveMemory RtlFillMemory RtlZeroMemory
        InterlockedCompareExchange GlobalReAlloc LocalReAlloc SetFilePointerEx
        FlushInstructionCache OpenMutexA CreateMutexA CreateMutexW GetExitCodeProcess
        DuplicateToken OpenProcessToken RegCloseKey GetUserObjectSecurity FlsSetData
        GetDeviceCaps HeapSetFlags HeapCompact LocalFlags GetNearestColor
        SHGetSpecialFolderLocation NtTestAlert OpenFile RtlCompareMemory""",
    4: """VirtualAlloc VirtualProtect MessageBoxA MessageBoxW HeapAlloc HeapReAlloc
        SetFilePointer CreateEventA CreateEventW NtQueryInformationThread
        NtSetInformationThread ZwSetInformationThread LdrLoadDll LdrGetProcedureAddress
        RaiseException VirtualQueryEx VirtualFreeEx RtlUnwind CreateSemaphoreA wvsprintfA
        FindWindowExA SendMessageA PostMessageA DefWindowProcA GetClassInfoA
        HeapSetInformation NtFreeVirtualMemory ZwFreeVirtualMemory""",
    5: """ReadFile WriteFile VirtualAllocEx VirtualProtectEx NtQueryInformationProcess
        ZwQueryInformationProcess MapViewOfFile ReadProcessMemory WriteProcessMemory
        NtProtectVirtualMemory ZwProtectVirtualMemory NtDelayExecution RegOpenKeyExA
        NtReadVirtualMemory NtWriteVirtualMemory FindResourceExA GetLocaleInfoA PeekMessageA
        GetStringTypeW GetTokenInformation MapViewOfFileEx""",
    6: """CreateThread CreateFileMappingA CreateFileMappingW MultiByteToWideChar LCMapStringA
        LCMapStringW NtAllocateVirtualMemory ZwAllocateVirtualMemory RegQueryValueExA
        ShellExecuteA RtlDecompressBuffer GetDiskFreeSpaceA""",
    7: """CreateFileA CreateFileW CreateRemoteThread DuplicateHandle""",
    8: """WideCharToMultiByte DeviceIoControl""",
    10: """CreateProcessA CreateProcessW""",
    12: """CreateWindowExA CreateWindowExW""",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARGUMENTS: dict[str, int] = {
    name: count for count, names in _BY_COUNT.items() for name in names.split()
}
"""Arguments a function takes off the stack when it returns, on a 32-bit Windows."""

LEFT_TO_CALLER = _words(
    """memcpy memset memmove memcmp malloc free calloc realloc strlen strcpy strcat strcmp
    _stricmp strncpy _initterm __set_app_type __p__fmode __p__commode _controlfp
    __getmainargs _acmdln wsprintfA wsprintfW sprintf printf"""
)
"""Functions whose arguments the caller takes off (cdecl)."""

ENDS = _words(
    """ExitProcess ExitThread TerminateProcess NtTerminateProcess ZwTerminateProcess exit
    _exit abort RtlExitUserProcess RtlExitUserThread"""
)
"""Functions that never return."""

PROGRAMS = _words(
    """MessageBoxA MessageBoxW GetStartupInfoA GetStartupInfoW CreateWindowExA CreateWindowExW
    GetCommandLineA GetCommandLineW WinExec ShellExecuteA CreateProcessA CreateProcessW
    DefWindowProcA SendMessageA PostMessageA ShowWindow PostQuitMessage CoInitialize
    __set_app_type _initterm __getmainargs __p__fmode __p__commode GetSystemTimeAsFileTime
    QueryPerformanceCounter HeapSetInformation GetVersionExA CreateMutexA CreateMutexW
    InitializeCriticalSection InitializeCriticalSectionAndSpinCount GetEnvironmentStringsW
    InitializeSListHead RegOpenKeyExA printf GetStdHandle SetUnhandledExceptionFilter
    GetClassInfoA PeekMessageA CreateRemoteThread GetComputerNameA GetUserNameA"""
)
"""Functions that a program calls and what unpacks it does not, as a rule."""

TRUE = _words(
    """FreeLibrary CloseHandle VirtualProtect VirtualProtectEx VirtualFree VirtualFreeEx
    HeapFree HeapDestroy TlsSetValue FlsSetValue FlushInstructionCache
    DisableThreadLibraryCalls InitializeCriticalSectionAndSpinCount
    QueryPerformanceFrequency HeapSetInformation IsProcessorFeaturePresent
    SetThreadPriority SetPriorityClass GetStdHandle"""
)
"""Functions that are said to have succeeded, by 1; all others return 0 unless they do more."""

LIBRARIES: dict[str, int] = {
    "kernel32.dll": 0x7C800000,
    "ntdll.dll": 0x7C900000,
    "user32.dll": 0x7E410000,
    "advapi32.dll": 0x77DD0000,
}
"""Libraries that are there from the beginning, and where."""

_OF_NTDLL = ("Nt", "Zw", "Rtl", "Ldr")
_OF_USER = _words(
    """MessageBoxA MessageBoxW GetForegroundWindow GetDesktopWindow FindWindowA FindWindowW
    FindWindowExA GetDC ReleaseDC GetSystemMetrics GetKeyState GetAsyncKeyState MessageBeep
    PostQuitMessage LoadCursorA LoadIconA ShowWindow SendMessageA PostMessageA
    DefWindowProcA GetClassInfoA PeekMessageA CreateWindowExA CreateWindowExW CharNextA
    wvsprintfA BlockInput GetWindowThreadProcessId GetActiveWindow SwitchDesktop wsprintfA
    wsprintfW"""
)
_OF_ADVAPI = _words("""RegCloseKey RegOpenKeyExA RegQueryValueExA OpenProcessToken GetUserNameA""")


def exports(library: str) -> list[str]:
    """Names a library exports, in the order of an export table.

    Args:
        library: one of `LIBRARIES`.
    """
    return sorted(name for name in ARGUMENTS if _home(name) == library)


def _home(name: str) -> str:
    if name in _OF_USER:
        return "user32.dll"
    if name in _OF_ADVAPI:
        return "advapi32.dll"
    shared = ("RtlMoveMemory", "RtlFillMemory", "RtlZeroMemory", "RtlUnwind")
    if name.startswith(_OF_NTDLL) and name not in shared:
        return "ntdll.dll"
    return "kernel32.dll"
