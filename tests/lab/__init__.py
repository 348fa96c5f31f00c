"""The lab: real SSH + Docker hosts in network namespaces of one machine (see lab.sh)."""
