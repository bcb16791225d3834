"""Whatever terminals and crashes do, in whatever order: the books hold, nothing is booked twice."""

from datetime import timedelta

import hypothesis.strategies as st
from bank_desk import ACCOUNT, AT, DAY, batch, completion, new_host, request, reversal
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import event

from sscard.spec.banking import Kind, Outcome

DEPOSIT = 60_000
TRACES = st.integers(1, 5)
OFFLINE = 10
"""Added to a trace number: the same transaction of the card, off line after an answer that got lost."""
ENDS = TRACES | TRACES.map(lambda trace: trace + OFFLINE)
KINDS = {1: Kind.PURCHASE, 2: Kind.PURCHASE, 3: Kind.REFUND, 4: Kind.PURCHASE, 5: Kind.PURCHASE}
AMOUNTS = {1: 20_000, 2: 25_000, 3: 5_000, 4: 30_000, 5: 1}


class Killed(Exception):
    """The process is gone: an Exception, for SQLAlchemy drops a memory's books with any other."""


class Books(RuleBasedStateMachine):
    """A host, and what may be said of each of five transactions whatever became of the others."""

    def __init__(self):
        super().__init__()
        self.host = new_host(deposit=DEPOSIT)
        self.answers = {}
        self.clearings = 0
        self.cleared = set()

    def teardown(self):
        self.host.books.dispose()

    def send(self, name, message, cut):
        """Deliver a message; with `cut` die before that statement first, and send it again."""
        if cut is not None:
            left = [cut]

            def count(*_):
                left[0] -= 1
                if left[0] < 0:
                    raise Killed

            event.listen(self.host.books, "before_cursor_execute", count)
            try:
                answer = getattr(self.host, name)(message)
            except Killed:
                pass
            else:
                # it got to its end, and the answer is lost: the same must come again
                event.remove(self.host.books, "before_cursor_execute", count)
                if name == "authorise":
                    assert self.host.authorise(message) == answer
                return answer
            event.remove(self.host.books, "before_cursor_execute", count)
        return getattr(self.host, name)(message)

    CUTS = st.none() | st.integers(0, 14)

    @rule(trace=TRACES, cut=CUTS)
    def authorise(self, trace, cut):
        message = request(trace, amount=AMOUNTS[trace], kind=KINDS[trace])
        answer = self.send("authorise", message, cut)
        known = self.answers.setdefault(trace, answer)
        assert answer == known or answer.reason == "it was reversed"

    @rule(trace=ENDS, ended=st.sampled_from(Outcome), cut=CUTS)
    def complete(self, trace, ended, cut):
        self.send("complete", self.ended(trace, ended), cut)

    @rule(trace=TRACES, cut=CUTS)
    def reverse(self, trace, cut):
        taken = self.send("reverse", reversal(trace, amount=AMOUNTS[trace]), cut)
        assert taken.accepted == (trace not in self.cleared)

    @rule(traces=st.lists(ENDS, max_size=3), cut=CUTS)
    def clear(self, traces, cut):
        self.clearings += 1
        items = [self.ended(trace) for trace in traces]
        message = batch(*items, number=self.clearings)
        result = self.send("clear", message, cut)
        refused = [row.trace for row in result.refused]
        booked = sorted(traces)
        for trace in refused:
            booked.remove(trace)
        assert result.booked == len(booked) == len(set(booked))
        counters = [trace % OFFLINE for trace in [*self.cleared, *booked]]
        assert len(counters) == len(set(counters))
        self.cleared |= set(booked)
        assert self.host.clear(message).again

    @rule(days=st.integers(6, 9))
    def end_of_day(self, days):
        self.host.end_of_day(DAY + timedelta(days=days))

    @staticmethod
    def ended(trace, outcome=Outcome.APPROVED):
        counter = trace % OFFLINE
        cvr = "03651002" if outcome is Outcome.APPROVED else "03251002"
        off = {} if trace < OFFLINE else {"offline": True, "chip": {"cvr": cvr}}
        return completion(
            trace,
            atc=counter,
            amount=AMOUNTS[counter],
            kind=KINDS[counter],
            outcome=outcome,
            at=AT,
            **off,
        )

    @invariant()
    def the_books_hold(self):
        assert self.host.audit() == []
        moved = sum(
            AMOUNTS[counter] * (1 if KINDS[counter] is Kind.REFUND else -1)
            for counter in (trace % OFFLINE for trace in self.cleared)
        )
        account = self.host.account(ACCOUNT)
        assert account.balance_fen == DEPOSIT + moved
        assert account.held_fen >= 0

    @invariant()
    def holds_end(self):
        if self.clearings > 4:
            self.host.end_of_day(DAY + timedelta(days=30))
            assert self.host.account(ACCOUNT).held_fen == 0


Books.TestCase.settings = settings(max_examples=250, stateful_step_count=25, deadline=None)
TestBooks = Books.TestCase
