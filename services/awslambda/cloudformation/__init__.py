"""Resources of CloudFormation that functions make."""
