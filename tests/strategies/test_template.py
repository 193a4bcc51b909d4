import pickle

from driver_context import DriverContext

from desk.loading import load_strategy
from strategies.template import Template


def minute(template: Template, ctx: DriverContext, close: float) -> None:
    template.on_bar(ctx, ctx.minute(high=close, low=close, close=close))


def test_the_template_is_ready_to_run() -> None:
    factory = load_strategy("strategies.template:Template", {"minutes": 5, "shares": 10}, "plan.toml")

    assert isinstance(factory.create(), Template)


def test_it_buys_above_the_mean_and_closes_below() -> None:
    template = Template(Template.Params(minutes=3, shares=10))
    ctx = DriverContext()
    for close in (10.0, 10.0, 11.0):
        minute(template, ctx, close)
    template.on_fill(ctx, ctx.fill(11.0, quantity=4.0))
    template.on_fill(ctx, ctx.fill(11.0))

    minute(template, ctx, 9.0)
    template.on_fill(ctx, ctx.fill(9.0))

    assert ctx.asked == [("buy", 10.0), ("sell", 10.0)]
    assert template.entries == 1


def test_it_waits_for_open_orders_fresh_data_and_enough_minutes() -> None:
    template = Template(Template.Params(minutes=3))
    ctx = DriverContext()
    ctx.degraded = True
    for close in (10.0, 11.0, 12.0):
        minute(template, ctx, close)
    asked_degraded = len(ctx.asked)

    ctx.degraded = False
    for close in (13.0, 14.0):
        minute(template, ctx, close)

    assert asked_degraded == 0
    assert ctx.asked == [("buy", 10.0)]


def test_a_restart_in_mid_life_changes_no_decision() -> None:
    template = Template(Template.Params(minutes=2))
    ctx = DriverContext()
    for close in (10.0, 11.0, 9.0, 12.0):
        template = pickle.loads(pickle.dumps(template))
        minute(template, ctx, close)
        if ctx.open_orders:
            template.on_fill(ctx, ctx.fill(close))

    assert ctx.asked == [("buy", 10.0), ("sell", 10.0), ("buy", 10.0)]
    assert template.entries == 2
