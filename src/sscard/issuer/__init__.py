"""The bank's host: keys, decisions, scripts, accounts, and a service for terminals.

Needs the extra `issuer` (SQLAlchemy). Imports `keys`, `spec` and `iso`, nothing of the card.
"""

from sscard.issuer.client import HostClient
from sscard.issuer.errors import IssuerError
from sscard.issuer.flows import Mandate, PayOut, PayOutResult, SocialFlows
from sscard.issuer.host import IssuerHost
from sscard.issuer.ledger import Account
from sscard.issuer.policy import AccountState, Arc, CardState, Policy, Privilege
from sscard.issuer.scripts import ScriptKind, ScriptOrder
from sscard.issuer.service import service
from sscard.issuer.tables import open_books

__all__ = [
    "Account",
    "AccountState",
    "Arc",
    "CardState",
    "HostClient",
    "IssuerError",
    "IssuerHost",
    "Mandate",
    "PayOut",
    "PayOutResult",
    "Policy",
    "Privilege",
    "ScriptKind",
    "ScriptOrder",
    "SocialFlows",
    "open_books",
    "service",
]
