"""How long ago something was, in as few words as a list has room for. Pure; the time now is passed in."""

from datetime import datetime, timedelta

_WEEK_DAYS = 7


def age(moment: datetime, now: datetime) -> str:
    """ "now", "5 min", "3 h", "2 days", "12 Nov", "12 Nov 2025"."""
    elapsed = now - moment
    if elapsed < timedelta(minutes=1):
        return "now"
    if elapsed < timedelta(hours=1):
        return f"{elapsed // timedelta(minutes=1)} min"
    if elapsed < timedelta(days=1):
        return f"{elapsed // timedelta(hours=1)} h"
    local, today = moment.astimezone(now.tzinfo), now.date()
    days = (today - local.date()).days
    if days < _WEEK_DAYS:
        return "1 day" if days <= 1 else f"{days} days"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local.day} {local:%b %Y}"


def day(moment: datetime, now: datetime) -> str:
    """The heading under which a list has it: "Today", "Yesterday", "Monday", "October 2026"."""
    local = moment.astimezone(now.tzinfo)
    days = (now.date() - local.date()).days
    if days <= 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    return local.strftime("%A" if days < _WEEK_DAYS else "%B %Y")
