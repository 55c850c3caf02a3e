"""Joins the engine and the operator's push service (R5)."""

from __future__ import annotations

from contextlib import AsyncExitStack

from denwa.config.settings import ConfigurationError, Settings
from denwa.voip.push.parameters import NO_PUSH, PushRules
from denwa.voip.push.waking import Waking
from denwa.voip.push.webhook import PushWebhook
from denwa.voip.server import SipServer


def push_rules(settings: Settings) -> PushRules:
    push = settings.push
    if not push.url:
        return NO_PUSH
    return PushRules(
        providers=tuple(name.lower().encode() for name in push.providers),
        wait=push.wait,
        awake=push.awake,
        max_expires=push.max_expires,
        lapse=push.lapse_days * 86_400,
        waiting_calls=push.waiting_calls,
        tell_caller=push.tell_caller,
    )


def _open(settings: Settings) -> PushWebhook | None:
    """None: no phone is woken. Raises ConfigurationError."""
    push = settings.push
    if not push.url or push.secret is None:
        return None
    try:
        return PushWebhook(push.url, push.secret.get_secret_value(), timeout=push.timeout, ca_file=push.ca_file)
    except OSError as fault:
        raise ConfigurationError(f"push.ca_file: {fault}") from None


def attach_push(settings: Settings, server: SipServer, stack: AsyncExitStack) -> None:
    """Have phones woken from now on, if the settings say how. Raises ConfigurationError."""
    webhook = _open(settings)
    if webhook is not None:
        webhook.flush = server.flush
        engine = server.engine
        engine.ctx.waking = Waking(engine.ctx, engine.registrar, webhook)
        stack.callback(webhook.close)
