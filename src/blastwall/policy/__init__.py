"""Cedar policies to rulings; changes when what a policy may say, or how policies combine, changes.

source ──▶ rules ──▶ load ──▶ PolicySet ──▶ Policies (what the gate holds; swapped whole on a reload)
            │          │          │
       annotations   checks    evaluation (Cedar) ─▶ combine (permit, forbid, approval, observe) ─▶ wording
"""
