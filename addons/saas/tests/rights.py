from .common import new_user

"""What outsiders and customers may do with every model and method of an addon."""

import inspect
from contextlib import suppress

from odoo.exceptions import AccessError
from odoo.service.model import call_kw
from odoo.tools import mute_logger

VERBS = ("read", "write", "create", "unlink")


class RightsCase:
    """Every model and every method of some addons, found by looking, not by a list.

    Beside a ``SaasCommon`` that has one ``tenant`` of ``customer``.
    """

    addons = ()
    # One of the methods, which is surely found.
    sample = None
    # What customers may read of their own. Nobody without rights of ours writes.
    own = frozenset()
    # Public methods that refuse nobody by themselves, and why that is right.
    free = frozenset()
    # What customers may call on their own tenants.
    owners = frozenset()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.owner = new_user(cls.env, "owner", groups="base.group_portal")
        cls.owner.partner_id.parent_id = cls.customer
        cls.stranger = new_user(cls.env, "stranger", groups="base.group_portal")
        cls.internal = new_user(cls.env, "internal", groups="base.group_user")
        cls.public = cls.env.ref("base.public_user")
        cls.outsiders = cls.public + cls.stranger + cls.internal

    def get_own_records(self):
        """Return the customer's own record of each model that has one."""
        return {"saas.tenant": self.tenant}

    # === WHAT THERE IS === #

    def find_models(self):
        """Return one record of each model of ours."""
        names = [
            name
            for name, model in self.env.registry.items()
            if model._original_module in self.addons and not model._abstract
        ]
        records = {name: self.env[name].sudo().search([], limit=1) for name in names}
        records |= self.get_own_records()
        for name in names:
            records[name] = records[name] or self.make_record(name)
        return {name: record.sudo(False) for name, record in records.items()}

    def make_record(self, name):
        """Return a new record that has no more than it must."""
        model = self.env[name].sudo()
        given = model.default_get(list(model._fields))
        vals = {}
        for field in model._fields.values():
            if not field.required or field.compute or field.name in given:
                continue
            if field.type in ("many2one", "many2many"):
                found = self.env[field.comodel_name].sudo().search([], limit=1)
                found = found or self.make_record(field.comodel_name)
                vals[field.name] = found.id if field.type == "many2one" else found.ids
            elif field.type == "selection":
                vals[field.name] = field.get_values(self.env)[0]
            elif field.type in ("char", "text"):
                vals[field.name] = "x1"
        return model.create(vals)

    def find_methods(self):
        """Return model and name of each method of ours that programs could call."""
        found = set()
        for name, model in self.env.registry.items():
            # What addons beside these make of our mixins is theirs to test.
            others = model._original_module.startswith("saas_")
            if model._abstract or (
                others and model._original_module not in self.addons
            ):
                continue
            for cls in model.mro():
                module = cls.__module__.split(".")
                if module[:2] != ["odoo", "addons"] or module[2] not in self.addons:
                    continue
                if "tests" in module:
                    continue
                found |= {
                    (name, method)
                    for method, value in vars(cls).items()
                    if inspect.isfunction(value)
                    and not method.startswith("_")
                    and not getattr(value, "_api_private", False)
                }
        return sorted(found)

    def make_arguments(self, model, method):
        """Return something for each argument that has to be given."""
        parameters = inspect.signature(getattr(self.env.registry[model], method))
        required = [
            name
            for name, parameter in list(parameters.parameters.items())[1:]
            if parameter.default is parameter.empty
            and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        vals = {"name": "x1", "modules": "base"}
        values = {"vals_list": [vals], "vals": vals}
        return [values.get(name, 1) for name in required]

    def call(self, user, record, method):
        records = record.with_user(user)
        arguments = self.make_arguments(record._name, method)
        function = getattr(self.env.registry[record._name], method)
        if not getattr(function, "_api_model", False):
            arguments = [record.ids, *arguments]
        with self.env.cr.savepoint():
            return call_kw(records.browse(), method, arguments, {})

    # === TESTS === #

    def test_outsiders_reach_no_record_of_any_model_of_ours(self):
        for name, record in self.find_models().items():
            for user in self.outsiders:
                for verb in VERBS:
                    with self.subTest(model=name, user=user.login, verb=verb):
                        self.refuses(user, record, verb)

    def test_customers_read_their_own_and_write_nothing(self):
        for name, record in self.find_models().items():
            for verb in VERBS:
                with self.subTest(model=name, verb=verb):
                    if verb == "read" and name in self.own:
                        self.assertTrue(record.with_user(self.owner).read(["id"]))
                    else:
                        self.refuses(self.owner, record, verb)

    def refuses(self, user, record, verb):
        record = record.with_user(user)
        calls = {
            "read": lambda: record.read(["display_name"]),
            "write": lambda: record.write({"display_name": "x"}),
            "create": lambda: record.create([{"name": "x1", "modules": "base"}]),
            "unlink": record.unlink,
        }
        with mute_logger("odoo.addons.base.models.ir_rule", "odoo.models"):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                calls[verb]()
            try:
                found = record.search([])
            except AccessError:
                return
        self.assertFalse(found & record if user != self.owner else None)

    def test_every_public_method_refuses_who_has_no_rights(self):
        records = self.find_models()
        records["res.partner"] = self.tenant.partner_id
        methods = self.find_methods()
        self.assertIn(self.sample, methods)
        for model, method in methods:
            if (model, method) in self.free:
                continue
            if model not in records:
                self.fail(f"{model}.{method} is public and stands in no list here")
            for user in (*self.outsiders, self.owner):
                if user == self.owner and (model, method) in self.owners:
                    continue
                with (
                    self.subTest(model=model, method=method, user=user.login),
                    self.assertRaises(AccessError),
                ):
                    self.call(user, records[model], method)

    def test_methods_refuse_who_has_no_rights_with_no_record_at_all_too(self):
        models = set(self.find_models())
        for model, method in self.find_methods():
            if model not in models or not method.startswith("action_"):
                continue
            empty = self.env[model]
            for user in self.outsiders:
                with self.subTest(model=model, method=method, user=user.login):
                    before = self.env["saas.operation"].search_count([])
                    with suppress(AccessError, ValueError):  # none to do it to
                        self.call(user, empty, method)
                    self.assertEqual(
                        self.env["saas.operation"].search_count([]), before
                    )
