"""AWS Lambda without containers: functions as child processes, and event source mappings."""
