"""Every address that the project answers at."""

from django.urls import path

from annotation import views

urlpatterns = [
    path("", views.index, name="index"),
    path("wait", views.wait, name="wait"),
    path("label", views.label, name="label"),
    path("labels", views.labels, name="labels"),
    path("healthz", views.healthz, name="healthz"),
]
