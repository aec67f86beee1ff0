"""What Alembic runs its steps in: the transaction that `index.schema.upgrade` has opened.

To change the schema:

1. Change the models; give a new column that has to have a value a `server_default`.
2. Add `versions/NNNN_what_it_does.py`, NNNN being the next number: the last file there shows the
   form. `down_revision` is the number before. Nothing else has to know of it: the highest number
   in the folder is the version that the code wants.
3. On SQLite a column is added by `op.add_column`, an index by `op.create_index`; anything else
   about a table needs `with op.batch_alter_table("name") as table:`, which copies it.
4. Write names and types out. A step must do the same in years, so it imports no model.
5. There is no way back (`downgrade`): who must, restores a backup. A step keeps what an older
   process needs that is still running, so columns are dropped one release after their last use.

`tests/test_migrations.py` holds the models to the migrated schema, on both engines.
"""

from alembic import context
from sqlalchemy.engine import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=False)
with context.begin_transaction():  # does nothing: there is one already
    context.run_migrations()
