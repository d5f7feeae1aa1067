"""Tests of the judging of requests to Azure Resource Manager, without I/O."""
