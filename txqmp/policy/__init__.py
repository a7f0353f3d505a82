"""Who may say what: rules, what a message asks for, verdicts."""

from txqmp.policy.load import load, ruleset, rulesets
from txqmp.policy.policy import Policy, Verdict
from txqmp.policy.request import Client
from txqmp.policy.rules import Action, Rule

__all__ = ["Action", "Client", "Policy", "Rule", "Verdict", "load", "ruleset", "rulesets"]
