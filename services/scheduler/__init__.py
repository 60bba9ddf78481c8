"""EventBridge Scheduler: schedules call their targets when the engine's clock says so."""
