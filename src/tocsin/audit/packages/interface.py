"""The lists of packages that can be read."""

from __future__ import annotations

from tocsin.audit.list_format import ListFormat

_HERE = "tocsin.audit.packages"

DPKG = ListFormat("dpkg's status", f"{_HERE}.dpkg")
APK = ListFormat("apk's installed packages", f"{_HERE}.apk")
RPM_SQLITE = ListFormat("rpm's database, SQLite", f"{_HERE}.rpm_sqlite")
RPM_NDB = ListFormat("rpm's database, its own kind", f"{_HERE}.rpm_ndb")
RPM_BDB = ListFormat("rpm's database, Berkeley DB", f"{_HERE}.rpm_bdb")
RPM_EXPORT = ListFormat("what rpm -qa prints", f"{_HERE}.rpm_export")
PYTHON_METADATA = ListFormat("metadata of a Python distribution", f"{_HERE}.python_installed")
PIP_JSON = ListFormat(
    "what pip list or inspect prints", f"{_HERE}.python_installed", "read_pip_json"
)
PYTHON_LOCK = ListFormat("lock of a Python project", f"{_HERE}.python_locks", "read_toml")
PIPFILE_LOCK = ListFormat("Pipfile.lock", f"{_HERE}.python_locks", "read_pipfile")
REQUIREMENTS = ListFormat("requirements.txt", f"{_HERE}.requirements")
NPM_MANIFEST = ListFormat("package.json", f"{_HERE}.npm", "read_manifest")
NPM_LOCK = ListFormat("package-lock.json", f"{_HERE}.npm", "read_lock")
YARN_LOCK = ListFormat("yarn.lock", f"{_HERE}.javascript_locks", "read_yarn")
PNPM_LOCK = ListFormat("pnpm-lock.yaml", f"{_HERE}.javascript_locks", "read_pnpm")
WINGET_EXPORT = ListFormat("what winget export writes", f"{_HERE}.winget", "read_export")
WINGET_LIST = ListFormat("what winget list prints", f"{_HERE}.winget", "read_list")
WINDOWS_REGISTRY = ListFormat("export of the Windows registry", f"{_HERE}.windows_registry")

PACKAGE_LISTS = (
    DPKG, APK, RPM_SQLITE, RPM_NDB, RPM_BDB, RPM_EXPORT, PYTHON_METADATA, PIP_JSON, PYTHON_LOCK,
    PIPFILE_LOCK, REQUIREMENTS, NPM_MANIFEST, NPM_LOCK, YARN_LOCK, PNPM_LOCK, WINGET_EXPORT,
    WINGET_LIST, WINDOWS_REGISTRY,
)  # fmt: skip
