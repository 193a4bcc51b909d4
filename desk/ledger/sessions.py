"""Sessions: each has a name, under which its rows are stored, and is resumed after a crash."""

from sqlalchemy import Connection, select, update

from desk.ledger.ledger_tables import sessions


def open_session(connection: Connection, session: str, *, plan: str, mode: str, day: str, now_ns: int) -> str:
    """Reopen `session` if it exists; else resume the latest unclosed session of (plan, mode, day); else create it.

    Returns the name of the opened session.
    """
    if close_session(connection, session, None):
        return session
    unclosed = (
        select(sessions.c.session)
        .where(sessions.c.plan == plan, sessions.c.mode == mode, sessions.c.day == day, sessions.c.closed_ns.is_(None))
        .order_by(sessions.c.started_ns.desc())
        .limit(1)
    )
    resumed: str | None = connection.execute(unclosed).scalar_one_or_none()
    if resumed is not None:
        return resumed
    row = {"session": session, "plan": plan, "mode": mode, "day": day, "started_ns": now_ns, "closed_ns": None}
    connection.execute(sessions.insert(), row)
    return session


def is_closed(connection: Connection, session: str) -> bool:
    """Whether the session exists and is closed."""
    statement = select(sessions.c.closed_ns).where(sessions.c.session == session)
    return connection.execute(statement).scalar_one_or_none() is not None


def same_day(connection: Connection, session: str) -> list[str]:
    """The other sessions of this session's plan, mode and day."""
    own = select(sessions.c.plan, sessions.c.mode, sessions.c.day).where(sessions.c.session == session)
    row = connection.execute(own).one_or_none()
    if row is None:
        return []
    others = select(sessions.c.session).where(
        sessions.c.plan == row.plan,
        sessions.c.mode == row.mode,
        sessions.c.day == row.day,
        sessions.c.session != session,
    )
    return list(connection.execute(others.order_by(sessions.c.session)).scalars())


def close_session(connection: Connection, session: str, now_ns: int | None) -> bool:
    """Mark the session as closed at `now_ns`, or as open for None. Returns whether it exists."""
    statement = update(sessions).where(sessions.c.session == session).values(closed_ns=now_ns)
    return bool(connection.execute(statement).rowcount)
