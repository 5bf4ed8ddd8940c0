"""The world the demo acts in: a shop's orders, a carrier that times out once, policies, a web of two pages."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any


class GatewayTimeout(Exception):
    """The carrier's gateway did not answer in time."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule of the shop: where and for what it holds, and how old its text is."""

    policy_id: str
    title: str
    region: str
    category: str
    age_days: int
    text: str


ORDERS: dict[int, dict[str, Any]] = {
    48213: {
        "order_id": 48213,
        "customer": "u-7",
        "total": 64.90,
        "currency": "EUR",
        "items": [{"sku": "LMP-204", "name": "Desk lamp, brass", "quantity": 1, "price": 64.90}],
        "tracking": "1Z999AA10123456784",
        "shipped": "2026-11-14",
        "country": "DE",
    }
}

MEMORY: dict[str, list[dict[str, Any]]] = {
    "u-7": [
        {"kind": "fact", "text": "No refunds so far."},
        {"kind": "fact", "text": "Prefers e-mail to phone."},
        {"kind": "tone", "text": "frustrated"},
    ]
}

POLICIES = (
    Policy(
        "P-12",
        "Lost parcel",
        "DE",
        "shipping",
        211,
        "A parcel counts as lost when the carrier shows no scan for four "
        "working days. Refund in full; ask for approval above 50 EUR if the carrier has not confirmed the loss.",
    ),
    Policy(
        "P-14",
        "Delayed delivery",
        "EU",
        "shipping",
        98,
        "A delivery is delayed after the promised day. Offer a "
        "credit of five per cent, or wait two more working days before the parcel counts as lost.",
    ),
    Policy(
        "P-31",
        "Goodwill credit",
        "EU",
        "shipping",
        40,
        "A goodwill credit of up to 10 EUR may be given once a year "
        "to a customer whose delivery went wrong, without approval.",
    ),
    Policy(
        "P-09",
        "Proof of shipping",
        "DE",
        "shipping",
        320,
        "The carrier's first scan is proof of shipping. Without "
        "it the parcel was never handed over and a refund needs no waiting time.",
    ),
    Policy(
        "P-12-US",
        "Lost parcel, US",
        "US",
        "shipping",
        190,
        "A parcel counts as lost when the carrier shows no scan for ten days. Refund or resend.",
    ),
    Policy(
        "P-02",
        "Lost parcel (2023)",
        "DE",
        "shipping",
        1043,
        "A parcel counts as lost after fourteen days without a scan. Replaced by P-12.",
    ),
    Policy(
        "P-40", "Gift card returns", "EU", "payment", 77, "Gift cards are returned to the card they were bought with."
    ),
    Policy(
        "P-14-UK",
        "Delay, UK",
        "UK",
        "shipping",
        120,
        "A delivery is delayed after the promised day. Offer a credit of five pounds.",
    ),
    Policy(
        "P-05",
        "Customs delay",
        "CH",
        "shipping",
        150,
        "A parcel held by customs is not lost. Ask the customer for the missing papers.",
    ),
    Policy(
        "P-01",
        "Refund window (2022)",
        "EU",
        "shipping",
        1460,
        "Refunds are possible for thirty days after delivery. Replaced by P-22.",
    ),
    Policy("P-33", "Returns, Canada", "CA", "returns", 60, "Returns from Canada go to the Toronto depot."),
    Policy("P-34", "Returns, Brazil", "BR", "returns", 60, "Returns from Brazil go to the São Paulo depot."),
)

PAGES = {
    "https://carrier.example/status": "Leipzig hub: sorting restored on Tuesday after a strike. Parcels scanned before "
    "Monday may show no scan for up to five days.",
    "https://status.example/incidents": "No open incident. Last incident: API gateway timeouts, resolved, 14 Nov.",
}

_SCANS = [
    {"at": "2026-11-14T16:40:02Z", "what": "Hamburg, handed over"},
    {"at": "2026-11-15T21:03:50Z", "what": "Leipzig hub, arrival"},
    {"at": "2026-11-16T08:12:44Z", "what": "Leipzig hub, sorting"},
]


@dataclass
class Carrier:
    """The carrier's API: its first answer is a 504 after a second and a half, as carriers' answers are."""

    pace: float
    _calls: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def get(self, path: str, tracking: str) -> dict[str, Any]:
        """The parcel's status; raises GatewayTimeout on the first call."""
        attempt = next(self._calls)
        await asyncio.sleep((1.5 if attempt == 1 else 1.0) * self.pace)
        if attempt == 1:
            raise GatewayTimeout(f"504 from api.carrier.example{path} after 1.50 s")
        return {
            "tracking": {
                "number": tracking,
                "carrier": "DPX",
                "status": "in_transit",
                "delivered": False,
                "last_scan": _SCANS[-1]["at"],
                "scans": _SCANS,
                "address": {"country": "DE", "zip": "04109"},
                "weight_kg": 1.84,
            },
            "http_status": 200,
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted model reply, with the usage a real API would report."""

    text: str = ""
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    thinking: str | None = None
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 1.0


# USD per million tokens: input, cached input, output (the providers' public lists, 2026).
_PRICES = {
    "gpt-4o": (2.50, 1.25, 10.00),
    "gpt-4o-mini": (0.15, 0.075, 0.60),
    "text-embedding-3-small": (0.02, 0.0, 0.0),
}


def price(model: str, input_tokens: int, cached_tokens: int, output_tokens: int) -> float:
    """What a call costs in USD; cached tokens are part of the input, reasoning tokens part of the output."""
    fresh, cached, output = _PRICES[model]
    return ((input_tokens - cached_tokens) * fresh + cached_tokens * cached + output_tokens * output) / 1e6


REPLIES = {
    "plan": Reply(
        tool_calls=(
            ("orders.get", {"id": 48213}),
            ("carrier.track", {"tracking": "1Z999AA10123456784"}),
            ("policy.search", {"q": "lost parcel"}),
        ),
        text="Look up the order, the carrier's scans and the policy on lost parcels, and check for known disruptions.",
        input_tokens=2004,
        cached_tokens=1204,
        output_tokens=96,
        seconds=1.84,
    ),
    "choose sources": Reply(
        text='["https://carrier.example/status", "https://status.example/incidents"]',
        input_tokens=1240,
        output_tokens=60,
        seconds=1.6,
    ),
    "summarise": Reply(
        text="The carrier had a strike in Leipzig; scans may be missing for up to five days. No open incident.",
        input_tokens=3610,
        output_tokens=210,
        seconds=1.61,
    ),
    "draft decision": Reply(
        thinking="Five days without a scan. P-12 says a parcel is lost after four. The order is "
        "below the 100 EUR limit, but the carrier has not confirmed, so ask a human first.",
        text="Refund 64.90 EUR in full under policy P-12 (lost parcel). Ask for human approval because the carrier has "
        "not confirmed the loss yet.",
        tool_calls=(("approval.request", {"amount": 64.90, "policy": "P-12"}),),
        input_tokens=6512,
        cached_tokens=4096,
        output_tokens=388,
        reasoning_tokens=128,
        seconds=2.18,
    ),
    "answer": Reply(
        text="I am sorry about the wait. The carrier has not scanned your parcel since Monday, which under our policy "
        "P-12 counts as lost, so I have refunded the full 64.90 EUR to your card; it should arrive within three "
        "working days. If the parcel turns up after all, please keep it or send it back free of charge. Is there "
        "anything else I can do for you?",
        input_tokens=6910,
        cached_tokens=5120,
        output_tokens=290,
        seconds=5.44,
    ),
}


class ScriptedModel:
    """A chat model whose replies are written down; it takes the time and reports the usage of a real one."""

    def __init__(self, name: str, pace: float) -> None:
        self.name = name
        self._pace = pace

    async def complete(self, call: str) -> Reply:
        """The reply to one call, whole."""
        reply = REPLIES[call]
        await asyncio.sleep(reply.seconds * self._pace)
        return reply

    async def stream(self, call: str) -> AsyncIterator[str]:
        """The reply to one call, word by word."""
        reply = REPLIES[call]
        words = reply.text.split(" ")
        await asyncio.sleep(0.7 * self._pace)
        for word in words:
            await asyncio.sleep((reply.seconds - 0.7) / len(words) * self._pace)
            yield word + " "
