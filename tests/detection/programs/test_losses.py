"""What statements, sub-commands and dry runs come to."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defenseclaw.detection.programs import describe
from defenseclaw.detection.programs.losses import TABLE
from defenseclaw.detection.programs.losses.sql import document_losses, losses
from defenseclaw.detection.terms import TRAITS

NAMES = list(TRAITS)
LOST = frozenset(NAMES[NAMES.index("changes_lost") : NAMES.index("whole_lost") + 1])


def lost(command):
    words = tuple(command.split())
    return describe(words[0], words).traits & LOST


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        # tables and what is in them
        ("drop table orders", {"data_lost"}),
        ("DROP TABLE IF EXISTS shop.orders CASCADE;", {"data_lost"}),
        ("truncate orders", {"data_lost"}),
        ("select 1; delete from orders;", {"data_lost"}),
        ("delete from orders where true", {"data_lost"}),
        ("delete from orders where 1=1", {"data_lost"}),
        ("update orders set paid = 1", {"data_lost"}),
        ("with old as (select 1) delete from orders", {"data_lost"}),
        ("alter table orders drop column paid", {"data_lost"}),
        ("/* tidy */ drop /* all */ table orders", {"data_lost"}),
        ("explain analyze delete from orders", set()),
        # databases
        ("drop database shop", {"database_lost"}),
        ("drop schema public cascade; create schema public", {"database_lost"}),
        ("drop table a; drop database b", {"data_lost", "database_lost"}),
        # with a condition, or not at all
        ("delete from orders where id = 7", set()),
        ("delete from orders using old where orders.id = old.id", set()),
        ("update orders set paid = 1 where id = 7", set()),
        ("alter table orders drop constraint fk", set()),
        ("drop index orders_by_day", set()),
        ("drop table tmp_orders", set()),
        ("drop table orders_old", set()),
        ("begin; delete from orders; rollback;", set()),
        ("explain delete from orders", set()),
        ("select * from drops", set()),
        # only mentioned
        ("select 'drop table orders'", set()),
        ("-- drop table orders", set()),
        ("/* drop table orders */ select 1", set()),
        ("insert into notes values ('; delete from orders')", set()),
        ("create trigger t after update on orders for each row set x = 1", set()),
    ],
)
def test_statements(statements, expected):
    assert losses(statements) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("db.dropDatabase()", {"database_lost"}),
        ("db.getSiblingDB('shop').dropDatabase()", {"database_lost"}),
        ("db.getSiblingDB('test').dropDatabase()", set()),
        ("db.getSiblingDB('shop_test').dropDatabase(); db.dropDatabase()", {"database_lost"}),
        ("db.orders.drop()", {"data_lost"}),
        ("db.orders.deleteMany({})", {"data_lost"}),
        ("db.orders.deleteMany({ })", {"data_lost"}),
        ("db.orders.deleteMany({paid: true})", set()),
        ("db.orders.deleteOne({})", set()),
        ("db.orders.find({})", set()),
    ],
)
def test_scripts_of_document_databases(script, expected):
    assert document_losses(script) == expected


@given(st.text(max_size=300))
def test_any_text_is_taken(text):
    assert losses(text) <= LOST
    assert document_losses(text) <= LOST


@pytest.mark.parametrize(
    "unit",
    [
        "drop ",
        "/*",
        "'",
        "--",
        "delete from ",
        "update a set ",
        "alter table ",
        "where ",
        "with (",
        "truncate ",
    ],
)
def test_statements_cost_linear_time(unit):
    began = time.perf_counter()
    losses(unit * 200_000)
    document_losses(unit * 200_000)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        # words, options, and options before the words
        ("vault kv destroy -versions=1 kv/db", {"secret_lost"}),
        ("vault -namespace=a kv metadata delete kv/db", {"secret_lost"}),
        ("vault kv get kv/delete", set()),
        ("nats --server n1 stream rm ORDERS", {"queue_lost"}),
        ("nats stream info rm", set()),
        ("cargo yank --version 1.2.0 shop", {"release_lost"}),
        ("cargo yank --undo --version 1.2.0 shop", set()),
        ("kafka-topics.sh --delete --topic a", {"queue_lost"}),
        ("kafka-topics --list", set()),
        # the first verb decides
        ("aws s3api list-objects --bucket delete-me", set()),
        ("aws ec2 describe-instances --filters terminate-instances", set()),
        ("aws dynamodb delete-table --table-name a", {"database_lost"}),
        ("aws sqs purge-queue --queue-url a", {"queue_lost"}),
        ("aws s3 rm s3://a/b --recursive", {"storage_lost"}),
        ("aws s3 rm s3://a --recursive", {"storage_lost", "whole_lost"}),
        ("aws --endpoint-url http://localhost:4566 s3 rb s3://a --force", set()),
        ("gcloud sql instances delete a --quiet", {"database_lost"}),
        ("gcloud compute ssh delete", set()),
        ("az keyvault secret delete -n a", {"secret_lost"}),
        ("az role assignment delete --ids a", set()),
        ("doctl databases delete a", {"database_lost"}),
        # dry runs
        ("restic forget --keep-last 1", {"backup_lost"}),
        ("restic forget --keep-last 1 --dry-run", set()),
        ("kubectl delete ns a --dry-run=client", set()),
        ("kubectl delete ns a --dry-run=none", {"cluster_lost"}),
        ("helm uninstall a --dry-run", set()),
        # clusters
        ("kubectl delete pod a", set()),
        ("kubectl delete pod --all", {"workloads_lost"}),
        ("kubectl delete deploy/a svc/b", {"workloads_lost"}),
        ("kubectl delete deploy,pvc a", {"cluster_lost"}),
        ("kubectl get ns", set()),
        # containers
        ("docker volume prune", {"volumes_lost"}),
        ("docker system prune --volumes", {"volumes_lost", "containers_lost"}),
        ("docker rm -f web", set()),
        ("docker rm -fv web", {"volumes_lost"}),
        ("docker compose down", set()),
        # infrastructure
        ("terraform plan -destroy", set()),
        ("terraform apply -auto-approve", set()),
        ("terraform apply -destroy -auto-approve", {"infrastructure_lost", "whole_lost"}),
        ("pulumi destroy --yes", {"infrastructure_lost", "whole_lost"}),
        # launchers
        ("npx prisma migrate reset", {"database_rebuilt"}),
        ("python manage.py flush", {"database_rebuilt"}),
        ("python manage.py migrate", set()),
        ("java -jar jenkins-cli.jar -s u delete-job a", {"pipeline_lost"}),
        ("java -jar app.jar delete-job a", set()),
    ],
)
def test_calls(command, expected):
    assert lost(command) == expected


@pytest.mark.parametrize("program", sorted(TABLE))
def test_no_program_loses_anything_when_it_only_lists_or_explains_itself(program):
    assert lost(f"{program} --help") == set()
    if program not in ("dropdb", "pg_dropcluster", "pg_resetwal", "k3s-uninstall.sh"):
        assert lost(f"{program} list") <= {"volume_destroyed"}
