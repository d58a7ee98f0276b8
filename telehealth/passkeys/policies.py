"""Passkeys are for people who sign in by telephone or e-mail; staff have their authenticators."""

from telehealth.core.permit import Rule, Rules
from telehealth.core.principal import Role

RULES: Rules = {"passkey.own": Rule(frozenset({Role.PATIENT}))}
