"""Settings of one gateway to the telephone network, ``[[gateways]]`` (C1, C2)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

CallClass = Literal["partner-050", "paid-050", "fixed", "mobile", "international"]


class Gateway(BaseModel):
    """A SIP trunk. Requests from ``addresses`` (``host``, ``host:port`` or a range ``192.0.2.0/24``) are incoming
    calls. Times in seconds; 0 switches off."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(min_length=1)
    host: str
    port: int = Field(5060, ge=1, le=65535)
    transport: Literal["udp", "tcp", "tls"] = "udp"
    locate: Literal["address", "srv", "naptr"] = "address"  # what of `host` is looked up (RFC 3263)
    addresses: list[str] = []
    certificates: list[str] = []  # names in the certificate of a TLS connection that incoming calls come by
    incoming: bool = True
    outgoing: bool = True

    # Which calls it takes, in which order, how many.
    priority: int = Field(0, ge=0, le=65535)  # lower ones first
    weight: int = Field(0, ge=0, le=65535)  # share of the calls among those of one priority
    classes: list[CallClass] = []  # empty: all
    prefixes: list[str] = []  # of E.164 (+813); empty: all
    max_calls: int = Field(0, ge=0)  # channels
    relay: bool = False  # its media go through the media relay
    probe_interval: int = Field(0, ge=0, le=3600)  # between OPTIONS

    # What it wants to know of us.
    user: str = ""
    password: SecretStr = SecretStr("")
    registrar: str = ""  # domain of the address of record; empty: `domain`, or `host`
    register_expires: int = Field(0, ge=0, le=86_400)  # to ask for with REGISTER

    # How it writes an INVITE, and how it wants one written.
    called_number: Literal["request-uri", "to"] = "request-uri"  # where that of an incoming call stands
    number_format: Literal["e164", "e164-plain", "national"] = "e164"
    number_prefix: str = ""
    user_phone: bool = True
    domain: str = ""  # of the Request-URI; empty: the gateway's address
    from_domain: str = ""  # of From and identity; empty: our realm
    identity: Literal["p-asserted-identity", "p-preferred-identity", "remote-party-id", "none"] = "p-asserted-identity"
    forwarded: Literal["both", "diversion", "history-info", "none"] = "both"
    trusted: bool = True  # it is told a number that it must not show (RFC 3325)
