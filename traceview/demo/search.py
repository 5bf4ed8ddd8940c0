"""Finding policies: hashed word vectors, BM25, and a reranker that blends both. Small, but it really searches."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Sequence

from traceview.demo.world import Policy

_DIMENSIONS = 64
_WORD = re.compile(r"[a-zà-ÿ]{3,}")


def words(text: str) -> list[str]:
    """The words of a text, lower case, plural s cut."""
    return [word.removesuffix("s") for word in _WORD.findall(text.lower())]


def embed(text: str) -> list[float]:
    """A unit vector of 64 hashed word counts."""
    vector = [0.0] * _DIMENSIONS
    for word in words(text):
        digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
        vector[digest[0] % _DIMENSIONS] += 1.0 if digest[1] & 1 else -1.0
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    return [x / norm for x in vector]


def by_vector(query: Sequence[float], policies: Sequence[Policy], k: int) -> list[tuple[Policy, float]]:
    """The k policies nearest to the query vector, with their cosine."""
    scored = [(p, sum(a * b for a, b in zip(query, embed(f"{p.title} {p.text}"), strict=True))) for p in policies]
    return sorted(scored, key=lambda pair: -pair[1])[:k]


def by_bm25(query: str, policies: Sequence[Policy], k: int) -> list[tuple[Policy, float]]:
    """The k best policies by BM25 (k1 = 1.2, b = 0.75; Robertson and Zaragoza 2009)."""
    texts = [Counter(words(f"{p.title} {p.text}")) for p in policies]
    mean = sum(sum(t.values()) for t in texts) / len(texts)
    scored = []
    for policy, text in zip(policies, texts, strict=True):
        length = sum(text.values())
        score = 0.0
        for word in set(words(query)):
            holding = sum(1 for t in texts if word in t)
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            frequency = text[word]
            score += idf * frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * length / mean))
        scored.append((policy, score))
    return sorted(scored, key=lambda pair: -pair[1])[:k]


def rerank(
    vector: Sequence[tuple[Policy, float]], bm25: Sequence[tuple[Policy, float]]
) -> list[tuple[Policy, float, dict[str, float]]]:
    """All policies found either way, best first, with the blended score and its parts."""
    near = {p.policy_id: score for p, score in vector}
    exact = {p.policy_id: score for p, score in bm25}
    top = max(exact.values(), default=1.0) or 1.0
    found = {p.policy_id: p for p, _ in (*vector, *bm25)}
    ranked = []
    for key, policy in found.items():
        parts = {"vector": round(max(near.get(key, 0.0), 0.0), 3), "bm25": round(exact.get(key, 0.0) / top, 3)}
        ranked.append((policy, round(0.45 * parts["vector"] + 0.55 * parts["bm25"], 3), parts))
    return sorted(ranked, key=lambda entry: -entry[1])
