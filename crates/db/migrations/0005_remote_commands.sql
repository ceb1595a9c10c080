-- The document's fifth step prints no DDL and nothing depends on it: remote commands have their tables in a migration of their own.
-- The number stays, so that the document's history and this folder can be read side by side.
select 5;
