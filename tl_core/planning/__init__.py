"""The plan of a training before it starts: phases, images, parameters, download, time, and problems."""

from tl_core.planning.plan import PlannedPhase, TrainingPlan, plan_training

__all__ = ["PlannedPhase", "TrainingPlan", "plan_training"]
