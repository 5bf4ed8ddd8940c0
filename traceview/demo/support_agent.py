"""The demo's agent: plans, calls tools concurrently, retries one that fails, filters and ranks, remembers, streams."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import traceview as tv
from traceview.demo import search
from traceview.demo.world import (
    MEMORY,
    ORDERS,
    PAGES,
    POLICIES,
    REPLIES,
    Carrier,
    GatewayTimeout,
    Policy,
    Reply,
    ScriptedModel,
    price,
)

QUESTION = "Parcel 48213 has not moved since Monday. I need my money back."
_SYSTEM = (
    "You are a support agent for Northwind. Decide whether the customer is owed a refund. Cite the policy you used. "
    "Ask a human before you pay out more than 50 EUR without the carrier's word."
)


async def run_support_agent(pace: float = 1.0, question: str = QUESTION) -> str:
    """Answers one customer, traced; returns the answer. `pace` scales every wait: 1.0 takes about 28 s."""
    agent = _SupportAgent(pace, question)
    with tv.trace(
        "support-agent",
        session="s-42",
        user="u-7",
        project="support",
        tags=["beta"],
        metadata={"channel": "chat", "locale": "en"},
        input=question,
    ) as run:
        answer = await agent.answer()
        run.set_output(answer)
    return answer


class _SupportAgent:
    def __init__(self, pace: float, question: str) -> None:
        self._pace = pace
        self._model = ScriptedModel("gpt-4o", pace)
        self._small = ScriptedModel("gpt-4o-mini", pace)
        self._carrier = Carrier(pace)
        self._messages: list[dict[str, Any]] = [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": question},
        ]
        self._question = question
        self._state: dict[str, Any] = {"order_id": None, "decision": None, "needs_human": False, "retries": 0}
        self._memory: dict[str, Any] = {}

    async def answer(self) -> str:
        """The whole run, step by step."""
        await self._guard()
        await self._recall()
        await self._plan()
        await self._gather()
        await self._draft()
        await self._check()
        await self._approve()
        await self._refund()
        await self._remember()
        return await self._reply()

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._pace)

    def _tell_state(self, **changes: Any) -> None:
        self._state |= changes
        tv.state(state=self._state, memory=self._memory, context=self._messages)

    async def _guard(self) -> None:
        with tv.span("guard.input", kind="guardrail", input=self._question) as span:
            await self._wait(0.04)
            span.set_output({"allowed": True, "checks": ["injection", "abuse", "pii"]})

    async def _recall(self) -> None:
        with tv.span("memory.load", kind="retriever", input={"user": "u-7"}) as span:
            await self._wait(0.04)
            records = MEMORY["u-7"]
            self._memory = {
                "facts": [r["text"] for r in records if r["kind"] == "fact"],
                "customer": {"tone": next(r["text"] for r in records if r["kind"] == "tone")},
            }
            span.set_output(records)
            self._tell_state(order_id=48213)

    async def _call(self, name: str, model: ScriptedModel, messages: list[dict[str, Any]]) -> Reply:
        with tv.span(name, kind="llm", input=messages) as span:
            reply = await model.complete(name)
            self._report(span, model, reply)
            return reply

    def _report(self, span: tv.Span, model: ScriptedModel, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text}
        if reply.tool_calls:
            message["tool_calls"] = [
                {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for i, (name, arguments) in enumerate(reply.tool_calls, 1)
            ]
        span.set_llm(
            model=model.name,
            provider="openai",
            temperature=0.2,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            cache_read_tokens=reply.cached_tokens or None,
            reasoning_tokens=reply.reasoning_tokens or None,
            finish_reason="tool_calls" if reply.tool_calls else "stop",
            cost_usd=price(model.name, reply.input_tokens, reply.cached_tokens, reply.output_tokens),
        )
        if reply.thinking:
            span.set_reasoning(reply.thinking)
        span.set_output([message])
        return message

    async def _plan(self) -> None:
        with tv.span("plan", kind="llm", input=self._messages) as span:
            reply = await self._model.complete("plan")
            self._messages = [*self._messages, self._report(span, self._model, reply)]
            tv.log(f"{len(reply.tool_calls)} tools to call", source="planner")
        self._tell_state(plan=[name for name, _ in reply.tool_calls])

    async def _gather(self) -> None:
        with tv.span("gather", kind="chain") as span:
            order, parcel, policies, research = await asyncio.gather(
                self._order(48213),
                self._track("1Z999AA10123456784"),
                self._search_policies("lost parcel"),
                self._research(),
            )
            span.set_output({"order": order["order_id"], "status": parcel["status"], "policies": len(policies)})
        self._messages = [
            *self._messages,
            {"role": "tool", "tool_call_id": "call_1", "name": "orders.get", "content": order},
            {"role": "tool", "tool_call_id": "call_2", "name": "carrier.track", "content": parcel},
            {"role": "tool", "tool_call_id": "call_3", "name": "policy.search", "content": [p.title for p in policies]},
            {"role": "user", "content": f"Research notes: {research}"},
        ]
        self._memory = {**self._memory, "carrier": {"last_scan": parcel["last_scan"]}}
        self._tell_state(policies=[p.policy_id for p in policies])

    async def _order(self, order_id: int) -> dict[str, Any]:
        with tv.span("orders.get", kind="tool", input={"id": order_id}) as span:
            await self._wait(0.75)
            order = ORDERS[order_id]
            span.set_output(order)
            return order

    async def _track(self, tracking: str) -> dict[str, Any]:
        with tv.span("carrier.track", kind="tool", input={"tracking": tracking, "timeout_s": 1.5}) as span:
            for attempt in (1, 2, 3):
                with contextlib.suppress(GatewayTimeout):
                    parcel = await self._shipments(tracking)
                    span.set_output(parcel)
                    return parcel
                tv.log(f"attempt {attempt} of 3 failed, trying again", level="warning", source="carrier")
                self._tell_state(retries=attempt)
                with tv.span("backoff", input={"attempt": attempt + 1, "of": 3}):
                    await self._wait(0.5)
            raise GatewayTimeout("the carrier did not answer three times")

    async def _shipments(self, tracking: str) -> dict[str, Any]:
        path = "/v2/shipments"
        with tv.span(f"GET {path}", kind="tool", input={"tracking": tracking}) as span:
            span.set_attributes({"http.request.method": "GET", "server.address": "api.carrier.example"})
            answer = await self._carrier.get(path, tracking)
            span.set_attribute("http.response.status_code", answer["http_status"])
            span.set_output(answer)
            found: dict[str, Any] = answer["tracking"]
            return found

    async def _search_policies(self, query: str) -> list[Policy]:
        with tv.span("policy.search", kind="retriever", input=query) as span:
            with tv.span("embed query", kind="embedding", input=query) as embedding:
                await self._wait(0.16)
                vector = search.embed(query)
                embedding.set_llm(model="text-embedding-3-small", provider="openai", input_tokens=38, cost_usd=7.6e-7)
                embedding.set_output({"dimensions": len(vector)})
            near, exact = await asyncio.gather(self._vector_search(vector), self._bm25(query))
            ranked = await self._rerank(query, near, exact)
            kept = await self._filter(ranked)
            span.set_output([{"id": p.policy_id, "content": p.text, "metadata": {"title": p.title}} for p in kept])
            return kept

    async def _vector_search(self, vector: list[float]) -> list[tuple[Policy, float]]:
        with tv.span("vector search", kind="retriever", input={"k": 12}) as span:
            await self._wait(0.78)
            found = search.by_vector(vector, POLICIES, 12)
            span.set_output([{"id": p.policy_id, "content": p.text, "score": round(s, 3)} for p, s in found])
            return found

    async def _bm25(self, query: str) -> list[tuple[Policy, float]]:
        with tv.span("bm25", kind="retriever", input={"query": query, "k": 8}) as span:
            await self._wait(0.1)
            found = search.by_bm25(query, POLICIES, 8)
            span.set_output([{"id": p.policy_id, "content": p.text, "score": round(s, 3)} for p, s in found])
            return found

    async def _rerank(
        self, query: str, near: list[tuple[Policy, float]], exact: list[tuple[Policy, float]]
    ) -> list[Policy]:
        with tv.span("rerank", kind="reranker", input={"query": query, "top_k": 12}) as span:
            span.set_attribute("reranker.model_name", "bge-reranker-v2-m3")
            await self._wait(1.28)
            ranked = search.rerank(near, exact)
            for rank, (policy, score, parts) in enumerate(ranked, 1):
                span.add_candidate(
                    item_id=policy.policy_id,
                    score=score,
                    rank=rank,
                    item={"title": policy.title, "text": policy.text, **parts},
                    reasoning=f"vector {parts['vector']:.3f}, bm25 {parts['bm25']:.3f}",
                )
            return [policy for policy, _, _ in ranked]

    async def _filter(self, policies: list[Policy]) -> list[Policy]:
        with tv.span("filter.policies", kind="chain", input=[p.policy_id for p in policies]) as span:
            await self._wait(1.08)
            kept = []
            for policy in policies:
                filters = [
                    {
                        "name": "region",
                        "passed": policy.region in ("DE", "EU"),
                        "detail": f"“{policy.region}” in (DE, EU)",
                    },
                    {"name": "age", "passed": policy.age_days < 730, "detail": f"{policy.age_days} < 730"},
                    {"name": "category", "passed": policy.category == "shipping", "detail": f"“{policy.category}”"},
                ]
                qualified = all(bool(f["passed"]) for f in filters)
                failed = [str(f["name"]) for f in filters if not f["passed"]]
                span.add_evaluation(
                    item_id=policy.policy_id,
                    item={"title": policy.title},
                    filters=filters,
                    qualified=qualified,
                    reasoning="all filters passed" if qualified else f"removed by {', '.join(failed)}",
                )
                if qualified:
                    kept.append(policy)
            span.set_output([p.policy_id for p in kept])
            return kept

    async def _research(self) -> str:
        with tv.span("research-agent", kind="agent", input="Are there known disruptions at the carrier?") as span:
            ask = [{"role": "user", "content": "Which of these pages may explain missing scans? " + " ".join(PAGES)}]
            await self._call("choose sources", self._small, ask)
            pages = await asyncio.gather(*(self._fetch(url, 0.78 * (i + 1)) for i, url in enumerate(PAGES)))
            notes = [{"role": "user", "content": "Summarise:\n" + "\n\n".join(pages)}]
            reply = await self._call("summarise", self._small, notes)
            span.set_output(reply.text)
            return reply.text

    async def _fetch(self, url: str, seconds: float) -> str:
        with tv.span("web.fetch", kind="tool", input={"url": url}) as span:
            await self._wait(seconds)
            span.set_attribute("http.response.status_code", 200)
            span.set_output(PAGES[url])
            return PAGES[url]

    async def _draft(self) -> None:
        with tv.span("draft decision", kind="llm", input=self._messages) as span:
            reply = await self._model.complete("draft decision")
            self._messages = [*self._messages, self._report(span, self._model, reply)]
        self._tell_state(decision="refund", decision_amount=64.90, policy="P-12", needs_human=True)

    async def _check(self) -> None:
        with tv.span("policy check", kind="evaluator", input={"decision": "refund", "policy": "P-12"}) as span:
            await self._wait(0.07)
            checks = {"policy exists": True, "amount matches order": True, "days without scan > 4": True, "cited": True}
            span.set_output({"passed": sum(checks.values()), "of": len(checks), "checks": checks})

    async def _approve(self) -> None:
        with tv.span("approval.request", kind="tool", input={"amount": 64.90, "policy": "P-12"}) as span:
            await self._wait(0.07)
            tv.log("asked a human", source="approval")
            span.set_output({"ticket": "A-1187"})
        await self._wait(9.0)  # a human thinks; nothing is traced meanwhile
        self._tell_state(needs_human=False, approved_by="m.keller")

    async def _refund(self) -> None:
        with tv.span("refunds.create", kind="tool", input={"order_id": 48213, "amount": 64.90}) as span:
            await self._wait(0.94)
            span.set_output({"refund_id": "R-90412", "amount": 64.90, "currency": "EUR"})
        self._tell_state(refund_id="R-90412")

    async def _remember(self) -> None:
        with tv.span("memory.update", kind="chain"):
            with tv.span("memory.write", kind="tool", input={"facts": 1}) as span:
                await self._wait(0.05)
                self._memory = {**self._memory, "facts": [*self._memory["facts"][1:], "One refund: order 48213, P-12."]}
                span.set_output({"written": 1})
            self._tell_state()

    async def _reply(self) -> str:
        with tv.span("render prompt", kind="prompt", input={"template": "reply.v7"}) as span:
            await self._wait(0.015)
            ask = {
                "role": "user",
                "content": "Write the reply to the customer. Use the decision and name the policy once.",
            }
            self._messages = [*self._messages, ask]
            span.set_output(ask["content"])
        with tv.span("answer", kind="llm", input=self._messages) as span:
            text = ""
            async for word in self._model.stream("answer"):
                if not text:
                    span.add_event("first token")
                text += word
            self._messages = [*self._messages, self._report(span, self._model, REPLIES["answer"])]
        self._tell_state(answered=True)
        return text.strip()
