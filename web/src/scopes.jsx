// What an answer lacks because of the token, and where to read about it.

import { DOC_EXPLORER_PLUGIN, useDocExplorerActions } from '@graphiql/plugin-doc-explorer';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { TypeInfo, visit, visitWithTypeInfo } from 'graphql';

/** One line for each scope that the errors of an answer name; nothing when none does. */
export function MissingScopes({ errors }) {
  const schema = useGraphiQL((state) => state.schema);
  const document = useGraphiQL((state) => state.documentAST);
  const { setVisiblePlugin } = useGraphiQLActions();
  const { push } = useDocExplorerActions();

  function read(field) {
    push({ name: field.name, def: field });
    setVisiblePlugin(DOC_EXPLORER_PLUGIN);
  }

  return (
    <div className="missing" role="alert">
      {missing(errors).map(([scope, key]) => {
        const field = schema && document && guarded(schema, document, scope, key);
        return (
          <p key={scope}>
            This token lacks the scope <strong>{scope}</strong>, which <code>{key}</code> needs.{' '}
            <a href={`explorer/scopes#${scope}`} target="_blank" rel="noreferrer">What it opens</a>
            {field && <> <button type="button" onClick={() => read(field)}>Read about {field.name}</button></>}
          </p>
        );
      })}
    </div>
  );
}

/** Each missing scope with the key of the first field that was refused for it. */
function missing(errors = []) {
  const found = new Map();
  for (const { path = [], extensions } of errors) {
    const key = path.findLast((step) => typeof step === 'string');
    const scope = extensions?.code === 'FORBIDDEN' && extensions.requiredScope;
    if (scope && !found.has(scope)) found.set(scope, key ?? 'a field of this query');
  }
  return [...found];
}

/** The field of the schema that a key of the answer stands for, if its description tells of the scope. */
function guarded(schema, document, scope, key) {
  const types = new TypeInfo(schema);
  let found = null;
  visit(document, visitWithTypeInfo(types, {
    Field({ alias, name }) {
      const field = types.getFieldDef();
      if ((alias ?? name).value === key && field?.description?.includes(scope)) found ??= field;
    },
  }));
  return found;
}
