"""The journal's writer and its spool (decision "the record comes first")."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from denwa.storage.journal_spool import Spool
from denwa.storage.journal_store import SqliteJournalStore
from denwa.storage.journal_writer import JournalWriter
from denwa.voip.calls.journal import Group, JournalStore, UnbindingEntry
from tests.storage.journal_rows import ID, NOW, alive, binding, call, end
from tests.storage.journal_stores import FakeStore, Reports

Start = Callable[..., JournalWriter]


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def start(tmp_path: Path, reports: Reports) -> Iterator[Start]:
    opened: list[JournalWriter] = []

    def begin(store: JournalStore, **more: float) -> JournalWriter:
        writer = JournalWriter(store, tmp_path / "spool", reports, **({"retry_wait": 0.01} | more))  # type: ignore[arg-type]
        opened.append(writer)
        writer.replay_spool()
        writer.start()
        return writer

    yield begin
    for writer in opened:
        writer.close()


def test_groups_are_reported_after_they_are_committed_and_not_before(start, reports):
    store = FakeStore()
    store.gate.clear()
    group = Group(calls=[call(1)])
    writer = start(store)
    writer.submit(group)
    assert store.began.wait(10)
    assert not reports.has(group)
    while not writer.slow:  # the SIP loop then gives way to this thread
        assert writer.healthy
    store.gate.set()
    reports.wait_for(group)
    assert store.open_calls() == [call(1)]
    assert writer.healthy
    assert not writer.slow


def test_what_waits_during_a_commit_goes_into_the_next_one_with_one_report(start, reports):
    store = FakeStore()
    store.gate.clear()
    writer = start(store)
    groups = [Group(calls=[call(number)]) for number in range(20)]
    writer.submit(groups[0])
    assert store.began.wait(10)
    for group in groups[1:]:
        writer.submit(group)
    store.gate.set()
    reports.wait_for(*groups)
    assert store.sizes == [1, 19]
    assert reports.times == 2
    assert [group.calls[0].id for group in reports.groups] == [ID + number for number in range(20)]


def test_close_commits_everything_submitted(start, reports):
    store = FakeStore()
    writer = start(store, group_wait=5.0)
    groups = [Group(calls=[call(number)]) for number in range(100)]
    for group in groups:
        writer.submit(group)
    writer.close()
    assert len(store.calls) == len(reports.groups) == 100


def test_registrations_wait_for_one_another_and_a_call_takes_them_along_at_once(start, reports):
    store = FakeStore()
    writer = start(store, group_wait=0.0, bindings_wait=60.0)
    first, second, third = (Group(bindings=[UnbindingEntry("50010001", f"sip:{n}@h")]) for n in range(3))
    writer.submit(first)  # nothing was written before: at once
    reports.wait_for(first)
    writer.submit(second)
    writer.submit(third)
    assert not reports.has(second)
    answer = Group(calls=[call(1)])
    writer.submit(answer)
    reports.wait_for(second, third, answer)
    assert reports.times == 2


def test_in_an_outage_ends_pass_answers_wait_and_nothing_is_lost(start, reports):
    store = FakeStore()
    writer = start(store)
    before = Group(calls=[call(1)])
    writer.submit(before)
    reports.wait_for(before)
    store.away = True
    answer, ending, refused = Group(calls=[call(2)]), Group(ends=[end(1)]), Group(calls=[call(3, answered=False)])
    for group in (answer, ending, refused):
        writer.submit(group)
    reports.wait_for(ending, refused)
    assert not reports.has(answer)
    assert not writer.healthy
    assert store.open_calls() == [call(1)]
    store.away = False
    reports.wait_for(answer)
    assert writer.healthy
    assert store.open_calls() == [call(2)]
    assert store.calls[ID + 1].ended_at == end(1).ended_at
    assert store.calls[ID + 3] == call(3, answered=False)


def test_a_call_answered_and_ended_in_an_outage_ends_with_its_right_time(start, reports):
    store = FakeStore()
    store.away = True
    writer = start(store)
    answer, ending = Group(calls=[call(1)]), Group(ends=[end(1)])
    writer.submit(answer)
    writer.submit(ending)
    reports.wait_for(ending)
    store.away = False
    reports.wait_for(answer)
    assert store.calls[ID + 1].ended_at == end(1).ended_at


def test_what_the_spool_holds_survives_the_process_and_is_committed_first(start, reports, tmp_path):
    store = FakeStore()
    writer = start(store)
    writer.submit(Group(calls=[call(1)], bindings=[binding(1), binding(2)]))
    writer.submit(spooled := Group(alive=[alive(1, NOW + 5)], ends=[], bindings=[UnbindingEntry(*binding(2)[:2])]))
    reports.wait_for(spooled)
    store.away = True
    writer.submit(lost := Group(ends=[end(1)], bindings=[binding(1, registered_at=NOW + 9)]))
    reports.wait_for(lost)
    writer.close()
    assert store.open_calls() != []
    store.away = False
    second = JournalWriter(store, tmp_path / "spool", reports)
    assert second.replay_spool() == 1
    assert store.open_calls() == []
    assert store.bindings(NOW) == [binding(1, registered_at=NOW + 9)]
    assert second.replay_spool() == 0
    second.close()


def test_when_the_spool_fails_too_everything_waits_and_nothing_is_lost(start, reports):
    store = FakeStore()
    store.failures = [True, True, True]
    writer = start(store, spool_limit=100)
    groups = [Group(calls=[call(1)], bindings=[binding(1)]), Group(ends=[end(1)], bindings=[binding(1, seconds=9)])]
    for group in groups:
        writer.submit(group)
    reports.wait_for(*groups)
    assert store.failures == []
    assert writer.healthy
    assert store.calls[ID + 1].ended_at == end(1).ended_at
    assert store.bindings(NOW) == [binding(1, seconds=9)]


def test_a_group_the_database_refuses_is_kept_for_a_person_and_stops_nobody(start, reports, tmp_path):
    store = FakeStore()
    store.gate.clear()
    writer = start(store)
    groups = [Group(calls=[call(0)]), Group(calls=[call(1, subscriber="refused")]), Group(calls=[call(2)])]
    for group in groups:
        writer.submit(group)
    store.gate.set()
    reports.wait_for(*groups)
    assert set(store.calls) == {ID, ID + 2}
    assert (writer.rejected, writer.healthy) == (1, True)
    (line,) = (tmp_path / "spool.rejected").read_text().splitlines()
    kept = json.loads(line)
    assert kept["calls"] == [list(call(1, subscriber="refused"))]
    assert "NOT NULL" in kept["fault"]


def test_a_disk_that_fills_up_under_sqlite_is_an_outage_and_passes(start, reports, tmp_path):
    store = SqliteJournalStore(tmp_path / "journal.db")
    writer = start(store)
    first = Group(calls=[call(number) for number in range(50)])
    writer.submit(first)
    reports.wait_for(first)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")  # SQLITE_FULL from here on
    answers = Group(calls=[call(number) for number in range(50, 500)])
    endings = Group(ends=[end(number) for number in range(50)], bindings=[binding(n) for n in range(500)])
    writer.submit(answers)
    writer.submit(endings)
    reports.wait_for(endings)
    assert not writer.healthy
    assert not reports.has(answers)
    store._connection.execute("PRAGMA max_page_count = 1000000")
    reports.wait_for(answers)
    assert [entry.id - ID for entry in store.open_calls()] == list(range(50, 500))
    assert len(store.bindings(NOW)) == 500
    writer.close()
    store.close()


def test_after_close_in_an_outage_the_ends_are_in_the_spool(start, reports, tmp_path):
    store = FakeStore()
    store.away = True
    writer = start(store)
    writer.submit(Group(calls=[call(1)]))
    writer.submit(Group(ends=[end(7)]))
    writer.close()
    spool = Spool(tmp_path / "spool")
    assert [group.ends for group in spool.groups() if group.ends] == [[end(7)]]
    assert all(not group.calls for group in spool.groups())  # its 200 never went out
    spool.close()


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["answer", "end", "bind", "unbind", "missed"]), st.integers(0, 3)),
    min_size=1,
    max_size=25,
)


@settings(max_examples=30)
@given(actions=ACTIONS, failures=st.lists(st.booleans(), max_size=12), spool_limit=st.sampled_from([0, 300, 10**6]))
def test_whatever_fails_and_when_the_database_ends_up_as_if_nothing_had(
    tmp_path_factory, actions, failures, spool_limit
):
    groups = []
    for place, (action, which) in enumerate(actions):
        if action == "answer":
            groups.append(Group(calls=[call(which)], bindings=[binding(which, registered_at=NOW + place)]))
        elif action == "missed":
            groups.append(Group(calls=[call(100 + place, answered=False)]))
        elif action == "end":
            groups.append(Group(ends=[end(which, NOW + 1000 + place)]))
        elif action == "bind":
            groups.append(Group(bindings=[binding(which, registered_at=NOW + place)]))
        else:
            groups.append(Group(bindings=[UnbindingEntry(*binding(which)[:2])]))
    # An end is only ever sent after its call's answer was.
    answered: set[int] = set()
    for group in groups:
        answered |= {entry.id for entry in group.calls}
        group.ends[:] = [entry for entry in group.ends if entry.id in answered]
    model = FakeStore()
    for group in groups:
        model.commit(group)
    store, reports = FakeStore(), Reports()
    store.failures = list(failures)
    spool = tmp_path_factory.mktemp("writer") / "spool"
    writer = JournalWriter(store, spool, reports, group_wait=0.0, retry_wait=0.001, spool_limit=spool_limit)
    writer.start()
    for group in groups:
        writer.submit(group)
    reports.wait_for(*groups)
    while store.failures or not writer.healthy:  # an outage may last on after the last report
        nudge = Group(bindings=[UnbindingEntry("nobody", "nowhere")])
        writer.submit(nudge)
        reports.wait_for(nudge)
    writer.close()
    assert (store.calls, store.bound) == (model.calls, model.bound)
    submitted = [id(group) for group in reports.groups if id(group) in set(map(id, groups))]
    assert sorted(submitted) == sorted(map(id, groups))


# The spool alone


def test_a_spool_gives_back_what_it_was_given_in_order(tmp_path):
    groups = [
        Group(calls=[call(1, answered=False, callee="日本\x00\ud800")], alive=[alive(2, NOW)]),
        Group(ends=[end(1)], bindings=[binding(1), UnbindingEntry("a", "b")]),
    ]
    spool = Spool(tmp_path / "spool")
    assert spool.empty
    spool.append(groups[:1])
    spool.append(groups[1:])
    assert spool.groups() == groups
    spool.close()
    again = Spool(tmp_path / "spool")
    assert again.groups() == groups
    again.clear()
    assert again.empty
    again.close()
    assert Spool(tmp_path / "spool").groups() == []


def test_a_spool_is_readable_by_its_owner_only(tmp_path):
    Spool(tmp_path / "spool")
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def spooled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("spool") / "spool"
    spool = Spool(path)
    spool.append([Group(ends=[end(number)]) for number in range(3)])
    spool.close()
    return path.read_bytes().rstrip(b"\0")


@settings(max_examples=60)
@given(data=st.data())
def test_a_spool_cut_anywhere_keeps_its_whole_lines_and_takes_more(tmp_path_factory, spooled, data):
    cut = data.draw(st.integers(0, len(spooled)))
    tail = data.draw(st.sampled_from([b"", b"\0" * 100]))
    path = tmp_path_factory.mktemp("cut") / "spool"
    path.write_bytes(spooled[:cut] + tail)
    spool = Spool(path, limit=100_000)
    whole = [Group(ends=[end(number)]) for number in range(spooled[:cut].count(b"\n"))]
    assert spool.groups() == whole
    more = Group(ends=[end(9)])
    spool.append([more])
    assert spool.groups() == [*whole, more]
    spool.close()
    assert Spool(path, limit=100_000).groups() == [*whole, more]


def test_a_damaged_line_costs_that_line_only(tmp_path, spooled, caplog):
    lines = spooled.splitlines(keepends=True)
    (tmp_path / "spool").write_bytes(lines[0] + lines[1].replace(b"callee", b"caller") + lines[2])
    assert Spool(tmp_path / "spool").groups() == [Group(ends=[end(0)]), Group(ends=[end(2)])]
    assert "line 2 is damaged" in caplog.text


def test_a_spool_holds_no_more_than_its_limit(tmp_path):
    spool = Spool(tmp_path / "spool", limit=200)
    spool.append([Group(ends=[end(1)])])
    with pytest.raises(OSError, match="full") as caught:
        spool.append([Group(ends=[end(number)]) for number in range(9)])
    assert caught.value.errno == errno.ENOSPC
    assert spool.groups() == [Group(ends=[end(1)])]


# Real processes: a file that may not grow, and SIGKILL

_FULL_DISK = """
import resource, sys, threading
from pathlib import Path
from denwa.storage.journal_store import SqliteJournalStore
from denwa.storage.journal_writer import JournalWriter
from denwa.voip.calls.journal import Group
from tests.storage.journal_rows import call, end
from tests.storage.journal_stores import Reports

folder, reports = Path(sys.argv[1]), Reports()
store = SqliteJournalStore(folder / "journal.db")
writer = JournalWriter(store, folder / "spool", reports, retry_wait=0.02)
writer.start()
first = Group(calls=[call(n) for n in range(10)])
writer.submit(first)
reports.wait_for(first)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))  # the database may not grow; the spool's room is taken
answers, ends = Group(calls=[call(n) for n in range(10, 3000)]), Group(ends=[end(n) for n in range(10)])
writer.submit(answers)
writer.submit(ends)
reports.wait_for(ends)
assert not writer.healthy and not reports.has(answers)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
reports.wait_for(answers)
assert writer.healthy and len(store.open_calls()) == 2990
writer.close()
print("kept", flush=True)
"""

_KILLED = """
import itertools, os, sys, threading
from pathlib import Path
from denwa.storage.journal_store import SqliteJournalStore
from denwa.storage.journal_writer import JournalWriter
from denwa.voip.calls.journal import Group
from tests.storage.journal_rows import ID, call, end

folder, first = Path(sys.argv[1]), int(sys.argv[2])
room = threading.Semaphore(64)

def done(groups):
    for group in groups:
        for entry in group.calls:
            os.write(1, b"answered %d\\n" % (entry.id - ID))
        for entry in group.ends:
            os.write(1, b"ended %d\\n" % (entry.id - ID))
        room.release()

writer = JournalWriter(SqliteJournalStore(folder / "journal.db"), folder / "spool", done, group_wait=0.001)
writer.replay_spool()
writer.start()
for number in itertools.count(first):
    room.acquire()
    writer.submit(Group(calls=[call(number)]))
    if number - first >= 100:
        room.acquire()
        writer.submit(Group(ends=[end(number - 100)]))
"""


def _python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[2])


def test_a_disk_that_takes_no_more_is_an_outage_and_passes(tmp_path):
    process = _python(_FULL_DISK, tmp_path)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"kept\n"), err.decode()


def test_whatever_was_reported_done_is_found_after_sigkill(tmp_path):
    answered: set[int] = set()
    ended: set[int] = set()
    for turn in range(3):
        process = _python(_KILLED, tmp_path, turn * 1_000_000)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(300 + 177 * turn)]
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGKILL, err.decode()
        for line in [*lines, *out.splitlines(keepends=True)]:
            if line.endswith(b"\n"):
                word, number = line.split()
                (answered if word == b"answered" else ended).add(int(number))
        store = SqliteJournalStore(tmp_path / "journal.db")
        still_open = {entry.id - ID for entry in store.open_calls()}
        found = {id_ - ID for (id_,) in store._connection.execute("SELECT id FROM calls")}
        store.close()
        assert len(answered) > 100
        assert len(ended) > 10
        assert answered <= found
        assert not ended & still_open
