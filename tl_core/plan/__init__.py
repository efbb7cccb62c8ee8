"""What a training will do, said before it starts: phases, images, parameters, download, time, and what is wrong."""

from tl_core.plan.planning import PlannedPhase, TrainingPlan, plan_training
from tl_core.plan.wording import duration_in_words

__all__ = ["PlannedPhase", "TrainingPlan", "duration_in_words", "plan_training"]
