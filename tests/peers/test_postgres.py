"""The throw-away cluster gives what store tests rely on."""

from sqlalchemy import text

from denwa.storage.engine import open_engine


def test_each_test_gets_an_empty_database_that_takes_writes(database_url: str) -> None:
    engine = open_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE only_here (n INTEGER)"))
        connection.execute(text("INSERT INTO only_here VALUES (1)"))
        assert connection.execute(text("SELECT n FROM only_here")).scalar_one() == 1
    # left open on purpose: the fixture drops a database that still has connections


def test_a_second_test_does_not_see_the_first_ones_tables(database_url: str) -> None:
    test_each_test_gets_an_empty_database_that_takes_writes(database_url)
