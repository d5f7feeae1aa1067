"""Sending what people are told of to where they read it: Slack, Microsoft Teams, or a service of their own."""

from blastwall.notifying.delivery import Delivery
from blastwall.notifying.places import Place, place_of

__all__ = ["Delivery", "Place", "place_of"]
