"""The closed vocabularies that rules and questions are written in.

A word that is not here is a mistake in a file or on a command line, never a rule that silently
matches nothing. What a word means stands beside it: the documentation is made from this module.
"""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What somebody wants to do."""

    SELL = "sell"
    RENEW = "renew"
    TRANSFER_LICENCE = "transfer-licence"
    RESELL = "resell"
    LICENSE_FOR_RESALE = "license-for-resale"
    INTEGRATE = "integrate"
    DOWNLOAD = "download"
    SIGNATURE_UPDATE = "signature-update"
    SOFTWARE_UPDATE = "software-update"
    COLLECT_STATISTICS = "collect-statistics"
    LOOK_UP_REPUTATION = "look-up-reputation"
    PROVIDE_THREAT_INTELLIGENCE = "provide-threat-intelligence"
    PROVIDE_TRAINING = "provide-training"
    CONSULT = "consult"
    EXPORT_TO_SUPPLIER = "export-to-supplier"
    AUTHORISE_EQUIPMENT = "authorise-equipment"
    BUY = "buy"
    INSTALL = "install"
    USE = "use"
    SCAN = "scan"
    UNINSTALL = "uninstall"
    EXPORT_DATA = "export-data"
    DELETE_DATA = "delete-data"


OPERATIONS = {
    Operation.SELL: "make a new agreement with a customer",
    Operation.RENEW: "prolong an agreement that a customer has",
    Operation.TRANSFER_LICENCE: "let another owner have a licence",
    Operation.RESELL: "sell what another supplies, as it is",
    Operation.LICENSE_FOR_RESALE: "license the product to whoever resells or integrates it",
    Operation.INTEGRATE: "build it into another product or service, also under another name",
    Operation.DOWNLOAD: "hand the product out for the first time",
    Operation.SIGNATURE_UPDATE: "deliver detections to an installed product",
    Operation.SOFTWARE_UPDATE: "deliver code to an installed product",
    Operation.COLLECT_STATISTICS: "take statistics or samples from a device",
    Operation.LOOK_UP_REPUTATION: "answer what is known of a file or an address",
    Operation.PROVIDE_THREAT_INTELLIGENCE: "deliver reports and feeds about threats",
    Operation.PROVIDE_TRAINING: "teach",
    Operation.CONSULT: "advise, for information or education only",
    Operation.EXPORT_TO_SUPPLIER: "send goods, software or technology to the supplier",
    Operation.AUTHORISE_EQUIPMENT: "have equipment authorised that contains the product",
    Operation.BUY: "make a new agreement with the supplier, as a customer",
    Operation.INSTALL: "put a product that one has on a system",
    Operation.USE: "go on using an installed product",
    Operation.SCAN: "scan with the product and the detections that one has",
    Operation.UNINSTALL: "remove the product",
    Operation.EXPORT_DATA: "take one's own data out",
    Operation.DELETE_DATA: "have one's own data deleted",
}
"""What each operation is; with the customer as the one who acts from `buy` on."""

ALWAYS_ALLOWED = frozenset(
    {Operation.SCAN, Operation.UNINSTALL, Operation.EXPORT_DATA, Operation.DELETE_DATA}
)
"""What no rule can forbid: a file with a rule that tries is refused."""


class Product(StrEnum):
    """A class of product or service."""

    CYBERSECURITY = "cybersecurity"
    ANTIVIRUS = "antivirus"
    SECURITY_NETWORK = "security-network"
    VPN = "vpn"
    PASSWORD_MANAGER = "password-manager"  # noqa: S105  # a class of product
    THREAT_INTELLIGENCE = "threat-intelligence"
    TRAINING = "training"
    CONSULTING = "consulting"
    TELECOM_EQUIPMENT = "telecom-equipment"
    OTHER = "other"


PRODUCTS = {
    Product.CYBERSECURITY: "any product or service for security; a rule about it is about all "
    "classes but the last two",
    Product.ANTIVIRUS: "software that finds malware on a device, with its updates",
    Product.SECURITY_NETWORK: "reputation service and collection of statistics",
    Product.VPN: "virtual private network",
    Product.PASSWORD_MANAGER: "keeper of passwords",
    Product.THREAT_INTELLIGENCE: "reports and feeds about threats",
    Product.TRAINING: "lessons, exercises, simulated attacks",
    Product.CONSULTING: "advice for information or education only",
    Product.TELECOM_EQUIPMENT: "equipment for telecommunication that has the product in it",
    Product.OTHER: "what is none of these",
}

_NOT_SECURITY = frozenset({Product.TELECOM_EQUIPMENT, Product.OTHER})
CLASSES_OF = {
    product: frozenset({product} if product in _NOT_SECURITY else {product, Product.CYBERSECURITY})
    for product in Product
}
"""The classes that a product is in."""


class Kind(StrEnum):
    """What an instrument does about what it is about."""

    PROHIBITION = "prohibition"
    PROCUREMENT_BAN = "procurement-ban"
    USE_BAN = "use-ban"
    DUTY_TO_REPLACE = "duty-to-replace"
    EXPORT_CONTROL = "export-control"
    WARNING = "warning"
    RECOMMENDATION = "recommendation"
    EXEMPTION = "exemption"


KINDS = {
    Kind.PROHIBITION: "forbids its operations",
    Kind.PROCUREMENT_BAN: "forbids buying, for those it addresses",
    Kind.USE_BAN: "forbids installing and using, for those it addresses",
    Kind.DUTY_TO_REPLACE: "what is there may run on while it is being replaced: a warning, with "
    "an obligation",
    Kind.EXPORT_CONTROL: "forbids sending things to somebody",
    Kind.WARNING: "forbids nothing; an authority warns",
    Kind.RECOMMENDATION: "forbids nothing; an authority or a parliament advises",
    Kind.EXEMPTION: "takes its operations out of the rules it names",
}
FORBIDDING = frozenset({Kind.PROHIBITION, Kind.PROCUREMENT_BAN, Kind.USE_BAN, Kind.EXPORT_CONTROL})
WARNING = frozenset({Kind.DUTY_TO_REPLACE, Kind.WARNING, Kind.RECOMMENDATION})


class Addressee(StrEnum):
    """Whom a rule is about, as a customer or user; what is under another is one of those too."""

    PRIVATE = "private"
    BUSINESS = "business"
    GOVERNMENT = "government"
    FEDERAL_CIVILIAN_AGENCY = "federal-civilian-agency"
    EU_INSTITUTION = "eu-institution"
    CONTRACTOR = "contractor"
    CRITICAL_SECTOR = "critical-sector"
    CYBERSECURITY_SYSTEM = "cybersecurity-system"
    RISK_GROUP = "risk-group"


ADDRESSEES = {
    Addressee.PRIVATE: "a person, for themselves",
    Addressee.BUSINESS: "a company or association",
    Addressee.GOVERNMENT: "a public body of whatever kind",
    Addressee.FEDERAL_CIVILIAN_AGENCY: "an agency of a federal government, not military and not "
    "of the intelligence services",
    Addressee.EU_INSTITUTION: "an institution, body or agency of the European Union",
    Addressee.CONTRACTOR: "whoever delivers to a government, in what is delivered",
    Addressee.CRITICAL_SECTOR: "an operator of critical infrastructure or in a vital sector",
    Addressee.CYBERSECURITY_SYSTEM: "an entity of a national cybersecurity system",
    Addressee.RISK_GROUP: "whoever an authority counts as being at special risk",
}
ADDRESSEE_ABOVE = {
    Addressee.FEDERAL_CIVILIAN_AGENCY: Addressee.GOVERNMENT,
    Addressee.CYBERSECURITY_SYSTEM: Addressee.CRITICAL_SECTOR,
}
"""Who is one of the others as well."""


class Circumstance(StrEnum):
    """What may be so besides, and a rule may need."""

    SUBSIDISED = "subsidised"
    MOBILE_DEVICE_OF_GOVERNMENT = "mobile-device-of-government"
    CLASSIFIED = "classified"
    IN_TELECOM_EQUIPMENT = "in-telecom-equipment"
    LISTED_PARTY = "listed-party"


CIRCUMSTANCES = {
    Circumstance.SUBSIDISED: "paid for with a subsidy, as of a universal service fund",
    Circumstance.MOBILE_DEVICE_OF_GOVERNMENT: "on a mobile device that a government issues",
    Circumstance.CLASSIFIED: "on systems that process what is SECRET or above",
    Circumstance.IN_TELECOM_EQUIPMENT: "as part of equipment for telecommunication",
    Circumstance.LISTED_PARTY: "a person or company that a list of sanctions names is a party",
}


class Embedded(StrEnum):
    """Whether a rule is about a product that is part of another one."""

    INCLUDED = "included"
    EXCLUDED = "excluded"
    UNKNOWN = "unknown"


class Binds(StrEnum):
    """Whom a rule obliges: a warning nobody, a ban on supply not those who use."""

    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    RESELLER = "reseller"
    CONTRACTOR = "contractor"
    EVERYONE = "everyone"
    NOBODY = "nobody"


class Status(StrEnum):
    """Whether an instrument is law."""

    IN_FORCE = "in-force"
    ANNOUNCED = "announced"
    SUSPENDED = "suspended"
    ENDED = "ended"


class Basis(StrEnum):
    """How well a statement was checked."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    PRESS_READING = "press_reading"
    GENERAL = "general"


BASES = {
    Basis.PRIMARY: "read in a primary or official text",
    Basis.SECONDARY: "read in a law firm's or a press account",
    Basis.PRESS_READING: "a reading of the press, not found in the text word for word",
    Basis.GENERAL: "general knowledge, still to be verified",
}


class PersonTie(StrEnum):
    """What ties a person to a country."""

    CITIZEN = "citizen"
    RESIDENT = "resident"
    ORGANISED = "organised"


PERSON_TIES = {
    PersonTie.CITIZEN: "has its nationality",
    PersonTie.RESIDENT: "lives there for good, or is there",
    PersonTie.ORGANISED: "is a company or body under its law",
}


class MarkerKind(StrEnum):
    """Where a supplier is recognised."""

    SIGNER = "signer"
    COMPANY = "company"
    ANDROID_PACKAGE = "android-package"
    HOST = "host"
    NPM_SCOPE = "npm-scope"
    PACKAGE = "package"
    CPE_VENDOR = "cpe-vendor"
    WINGET_PUBLISHER = "winget-publisher"
    SUPPLIER_NAME = "supplier-name"
    TEXT = "text"


MARKER_KINDS = {
    MarkerKind.SIGNER: "name of whoever signed a program (Authenticode, Android)",
    MarkerKind.COMPANY: "`CompanyName` or `LegalCopyright` of a Windows program",
    MarkerKind.ANDROID_PACKAGE: "name of an Android package",
    MarkerKind.HOST: "host that a program or package names",
    MarkerKind.NPM_SCOPE: "scope of npm packages",
    MarkerKind.PACKAGE: "name of a package, as `deb:name`, `rpm:name`, `pypi:name`, `npm:name`",
    MarkerKind.CPE_VENDOR: "vendor in a CPE name",
    MarkerKind.WINGET_PUBLISHER: "publisher in the Windows registry or of winget",
    MarkerKind.SUPPLIER_NAME: "supplier, publisher, manufacturer or author in an SBOM or package",
    MarkerKind.TEXT: "text in a program or an ELF note",
}


class Outcome(StrEnum):
    """What a decision says."""

    ALLOWED = "allowed"
    WARNED = "warned"
    PROHIBITED = "prohibited"
    UNDETERMINED = "undetermined"


OUTCOMES = {
    Outcome.ALLOWED: "no rule of the book is against it",
    Outcome.WARNED: "allowed; an authority warns or advises, or something is to be done",
    Outcome.PROHIBITED: "a rule forbids it",
    Outcome.UNDETERMINED: "a fact is missing on which it depends; it is not supplied",
}
