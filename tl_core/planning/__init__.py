"""What a training will do, said before it starts: phases, images, parameters, download, time, and what is wrong."""

from tl_core.planning.plan import PlannedPhase, TrainingPlan, plan_training

__all__ = ["PlannedPhase", "TrainingPlan", "plan_training"]
