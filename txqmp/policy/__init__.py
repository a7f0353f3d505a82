"""Who may say what: rules, what a message asks for, verdicts."""

from txqmp.policy.interface import IJudge
from txqmp.policy.load import load, ruleset, rulesets
from txqmp.policy.policy import Policy
from txqmp.policy.request import Client
from txqmp.policy.rules import Action, Rule
from txqmp.policy.verdict import Verdict

__all__ = ["Action", "Client", "IJudge", "Policy", "Rule", "Verdict", "load", "ruleset", "rulesets"]
