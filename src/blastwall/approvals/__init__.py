"""Who approves a held statement; changes when people are asked in another way.

A request is a row of the state: any node may decide what another holds. What is shown to people and what they decide is
sealed with the gateways' own key, so that writing to the state approves nothing.
"""
