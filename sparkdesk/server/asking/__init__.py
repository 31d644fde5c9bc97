"""What clients ask for: their JSON, checked field by field, in our own words."""
