"""The defaults that the API server writes into webhook configurations.

Source: Kubernetes API reference, admissionregistration.k8s.io/v1 (field descriptions).
"""

from pytest_aksnet.lab.api.objects import JsonObject


def validating(value: JsonObject) -> None:
    """A ValidatingWebhookConfiguration that is about to be written."""
    for webhook in value.get("webhooks") or []:
        webhook.setdefault("failurePolicy", "Fail")
        webhook.setdefault("matchPolicy", "Equivalent")
        webhook.setdefault("namespaceSelector", {})
        webhook.setdefault("objectSelector", {})
        webhook.setdefault("timeoutSeconds", 10)
        service = (webhook.get("clientConfig") or {}).get("service")
        if service is not None:
            service.setdefault("port", 443)
        for rule in webhook.get("rules") or []:
            rule.setdefault("scope", "*")


def mutating(value: JsonObject) -> None:
    """A MutatingWebhookConfiguration that is about to be written."""
    validating(value)
    for webhook in value.get("webhooks") or []:
        webhook.setdefault("reinvocationPolicy", "Never")
