// The names that the minified files may shorten: those of fields and methods, and texts that stand for a value, of which the
// types tell that they never leave the package. A name stays if the public types have it, if a value has it whose type is
// not known here (JSON, a socket, an object of the browser), or if it is used as a text. What is left is safe to rename in
// all files of a build at once.
//
//   node internal-names.mjs        prints why each name stays

import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const { SymbolFlags, SyntaxKind, TypeFlags } = ts;

/** Types that are public, though they are declared as `object`, or that travel as JSON. */
const PUBLIC = ['ClientComplaint', 'Failure', 'Refusal', 'Candidate', 'Limits'];

/** Returns the internal names and texts of a package with these entries. */
export function internalNames(entries, sources) {
  const config = ts.getParsedCommandLineOfConfigFile(fileURLToPath(new URL('tsconfig.dist.json', import.meta.url)), {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(String(diagnostic.messageText));
    },
  });
  const program = ts.createProgram(entries, { ...config.options, noEmit: true });
  const checker = program.getTypeChecker();
  const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(sources));
  const isOwn = (declaration) => declaration.getSourceFile().fileName.startsWith(sources);

  const owned = new Set();
  /** The texts that types of this package name. */
  const declared = new Set();
  const texts = new Map();
  const kept = new Map();
  const keptTexts = new Map();
  const keep = (name, why, node) => {
    if (kept.has(name)) return;
    const file = node?.getSourceFile();
    const at = file && `${file.fileName.slice(sources.length)}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
    kept.set(name, at ? `${why} ${at}` : why);
  };
  const keepText = (text, why, node) => {
    if (keptTexts.has(text)) return;
    const file = node?.getSourceFile();
    const at = file && `${file.fileName.slice(sources.length)}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
    keptTexts.set(text, at ? `${why} ${at}` : why);
  };
  const constituents = (type) => (type.isUnion() ? type.types : [type]);
  const literals = (type) => constituents(type).filter((one) => one.isStringLiteral());

  // What the public types show.
  const seen = new Set();
  const isHidden = (declaration) =>
    (ts.getCombinedModifierFlags(declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0 ||
    ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === 'internal');
  const show = (type) => {
    if (seen.has(type)) return;
    seen.add(type);
    if (type.isUnionOrIntersection()) for (const one of type.types) show(one);
    if (type.isStringLiteral()) keepText(type.value, 'public');
    for (const argument of type.aliasTypeArguments ?? []) show(argument);
    if (type.flags & TypeFlags.Object && type.objectFlags & ts.ObjectFlags.Reference) {
      for (const argument of checker.getTypeArguments(type)) show(argument);
    }
    if (type.flags & TypeFlags.Conditional) {
      show(checker.getTypeFromTypeNode(type.root.node.trueType));
      show(checker.getTypeFromTypeNode(type.root.node.falseType));
    }
    if (!(type.flags & (TypeFlags.Object | TypeFlags.Intersection))) return;
    const { declarations = [] } = type.symbol ?? {};
    if (declarations.length && !declarations.some(isOwn)) return;
    for (const property of checker.getPropertiesOfType(type)) {
      const own = property.declarations ?? [];
      if (own.some(isHidden) || !own.some(isOwn)) continue;
      keep(property.name, `public, of ${type.symbol?.name} in`, own[0]);
      show(checker.getTypeOfSymbol(property));
    }
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      if (signature.declaration && isHidden(signature.declaration)) continue;
      for (const parameter of signature.parameters) show(checker.getTypeOfSymbol(parameter));
      show(signature.getReturnType());
      for (const parameter of signature.typeParameters ?? []) if (parameter.getConstraint()) show(parameter.getConstraint());
    }
    for (const { type: of } of checker.getIndexInfosOfType(type)) show(of);
  };
  const showSymbol = (symbol) => {
    const target = symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    if (target.flags & (SymbolFlags.Class | SymbolFlags.Interface | SymbolFlags.TypeAlias)) show(checker.getDeclaredTypeOfSymbol(target));
    if (target.flags & SymbolFlags.Value) show(checker.getTypeOfSymbol(target));
  };
  for (const entry of entries) {
    const file = program.getSourceFile(entry);
    for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(file))) showSymbol(symbol);
  }
  for (const file of files) {
    file.forEachChild((node) => {
      if ((ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) && PUBLIC.includes(node.name.text)) {
        show(checker.getTypeAtLocation(node));
      }
    });
  }

  // What is done with each name.
  const isUnknown = (type) => !type || (type.flags & (TypeFlags.Any | TypeFlags.Unknown | TypeFlags.NonPrimitive)) !== 0;
  const use = (name, symbol, node) => {
    const declarations = symbol?.declarations ?? [];
    const isProperty = symbol && symbol.flags & (SymbolFlags.Property | SymbolFlags.Method | SymbolFlags.Accessor);
    if (isProperty && declarations.length && declarations.every(isOwn)) owned.add(name);
    else keep(name, 'of others', node);
  };
  /** Returns the property of this name in each part of a type that has it, or undefined if any part may have any name. */
  const usesIn = (type, name, node) => {
    if (isUnknown(type)) return keep(name, 'of an unknown type', node);
    let isAny = false;
    for (const part of constituents(checker.getNonNullableType(type))) {
      // `this` has a type of its own.
      const one = part.flags & TypeFlags.TypeParameter ? (checker.getBaseConstraintOfType(part) ?? part) : part;
      if (isUnknown(one) || one.flags & TypeFlags.TypeParameter) return keep(name, 'of an unknown type', node);
      const property = checker.getPropertyOfType(one, name);
      if (property) {
        isAny = true;
        use(name, property, node);
      } else if (checker.getIndexInfosOfType(one).length) return keep(name, 'of an index', node);
    }
    if (!isAny) keep(name, 'of no type', node);
  };
  /** Returns true if a type has texts that stand for a value, and no other texts. */
  const isClosed = (type) =>
    !!type &&
    literals(type).length > 0 &&
    constituents(type).every(
      (one) =>
        !(one.flags & (TypeFlags.Any | TypeFlags.Unknown | TypeFlags.String | TypeFlags.TemplateLiteral | TypeFlags.TypeParameter | TypeFlags.Intersection)),
    );
  const contextOf = (node) => {
    const { parent } = node;
    if (ts.isBinaryExpression(parent) && /^[!=]==$/.test(parent.operatorToken.getText())) {
      return checker.getTypeAtLocation(parent.left === node ? parent.right : parent.left);
    }
    if (ts.isCaseClause(parent)) return checker.getTypeAtLocation(parent.parent.parent.expression);
    return checker.getContextualType(node);
  };
  const isTextName = ({ parent }, node) =>
    ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent) || ts.isLiteralTypeNode(parent) ||
    ts.isModuleDeclaration(parent) || (ts.isPropertyAssignment(parent) && parent.name === node);

  /** Returns true if a text is given to something of others, or compared with it. */
  const isOfOthers = (node) => {
    const { parent } = node;
    if (ts.isBinaryExpression(parent)) {
      const other = parent.left === node ? parent.right : parent.left;
      if (ts.isTypeOfExpression(other)) return true;
      return ts.isPropertyAccessExpression(other) && !checker.getSymbolAtLocation(other.name)?.declarations?.every(isOwn);
    }
    if (!ts.isCallExpression(parent) && !ts.isNewExpression(parent)) return false;
    const { declaration } = checker.getResolvedSignature(parent) ?? {};
    return !!declaration && !isOwn(declaration);
  };

  /** The names that one value may have together, each set once. */
  const groups = new Map();
  const group = (type) => {
    if (isUnknown(type)) return;
    const all = new Set();
    for (const part of constituents(checker.getNonNullableType(type))) {
      const one = part.flags & TypeFlags.TypeParameter ? (checker.getBaseConstraintOfType(part) ?? part) : part;
      if (one.symbol?.declarations?.some(isOwn) || one.aliasSymbol || type.isUnion()) {
        for (const { name } of checker.getPropertiesOfType(one)) all.add(name);
      }
    }
    const sorted = [...all].sort();
    if (sorted.length > 1) groups.set(sorted.join(), sorted);
  };
  const counts = new Map();

  const visit = (node) => {
    ts.forEachChild(node, visit);
    if (ts.isIdentifier(node)) counts.set(node.text, (counts.get(node.text) ?? 0) + 1);
    if (
      ts.isClassLike(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isTypeLiteralNode(node) ||
      ts.isObjectLiteralExpression(node) || ts.isObjectBindingPattern(node)
    ) {
      group(checker.getTypeAtLocation(node));
    }
    if (ts.isObjectLiteralExpression(node)) {
      const context = checker.getContextualType(node);
      if (context) group(context);
    }
    if (ts.isPropertyAccessExpression(node)) group(checker.getTypeAtLocation(node.expression));
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) declared.add(node.literal.text);
    if (ts.isAsExpression(node)) {
      // What a value is taken for is the form of something of others.
      const note = (part) => {
        if (ts.isPropertySignature(part) && ts.isIdentifier(part.name)) keep(part.name.text, 'of a cast', part);
        ts.forEachChild(part, note);
      };
      note(node.type);
    }
    if (ts.isPropertyAccessExpression(node) && !ts.isPrivateIdentifier(node.name)) {
      const type = checker.getTypeAtLocation(node.expression);
      if (isUnknown(type)) keep(node.name.text, 'of an unknown type', node);
      else {
        // A namespace import is no object.
        const symbol = checker.getSymbolAtLocation(node.name);
        if (ts.isIdentifier(node.expression) && checker.getSymbolAtLocation(node.expression)?.declarations?.some(ts.isNamespaceImport)) keep(node.name.text, 'of a module', node);
        else use(node.name.text, symbol, node);
      }
    } else if (ts.isElementAccessExpression(node)) {
      const type = checker.getTypeAtLocation(node.argumentExpression);
      for (const { value } of literals(type)) {
        keep(value, 'as a text', node);
        keepText(value, 'as a key', node);
      }
      const of = checker.getTypeAtLocation(node.expression);
      if (!literals(type).length && type.flags & (TypeFlags.StringLike | TypeFlags.TypeParameter | TypeFlags.Index | TypeFlags.IndexedAccess)) {
        for (const property of checker.getPropertiesOfType(of)) keep(property.name, 'by any text', node);
      }
    } else if (ts.isObjectLiteralExpression(node)) {
      const context = checker.getContextualType(node);
      for (const property of node.properties) {
        if (!property.name) continue;
        if (ts.isStringLiteral(property.name)) keep(property.name.text, 'as a text', node);
        else if (ts.isIdentifier(property.name)) {
          if (context) usesIn(context, property.name.text, property);
          else keep(property.name.text, 'without a context', property);
        }
      }
    } else if (ts.isObjectBindingPattern(node)) {
      const type = checker.getTypeAtLocation(node);
      for (const element of node.elements) {
        const name = element.propertyName ?? element.name;
        if (element.dotDotDotToken || !ts.isIdentifier(name)) continue;
        const of = ts.isVariableDeclaration(node.parent) && node.parent.initializer
          ? checker.getTypeAtLocation(node.parent.initializer)
          : type;
        usesIn(of, name.text, element);
      }
    } else if (ts.isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.InKeyword && ts.isStringLiteral(node.left)) {
      keep(node.left.text, 'as a text', node);
    } else if (
      (ts.isPropertyDeclaration(node) || ts.isPropertySignature(node) || ts.isMethodDeclaration(node) ||
        ts.isMethodSignature(node) || ts.isAccessor(node) || (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent))) &&
      ts.isIdentifier(node.name)
    ) {
      // A class that has the form of an object of others has its names.
      const heritage = node.parent.heritageClauses?.flatMap(({ types }) => [...types]) ?? [];
      for (const base of heritage) {
        const property = checker.getPropertyOfType(checker.getTypeAtLocation(base), node.name.text);
        if (property) use(node.name.text, property, node);
      }
      owned.add(node.name.text);
    }
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      if (isTextName(node, node)) return;
      const { parent } = node;
      if (ts.isElementAccessExpression(parent) || (ts.isBinaryExpression(parent) && parent.operatorToken.kind === SyntaxKind.InKeyword)) {
        keepText(node.text, 'as a key', node);
      } else if (isClosed(contextOf(node)) && !isOfOthers(node)) texts.set(node.text, [...(texts.get(node.text) ?? []), node]);
      else keepText(node.text, 'as a text', node);
    } else if (ts.isExpression(node) && !ts.isPartOfTypeNode(node)) {
      // A text that stands for a value, and is used as a text.
      const { parent } = node;
      const isText =
        ts.isTemplateSpan(parent) ||
        (ts.isPropertyAccessExpression(parent) && parent.expression === node) ||
        (ts.isBinaryExpression(parent) && parent.operatorToken.kind === SyntaxKind.PlusToken);
      const isGiven = ts.isCallExpression(parent) || ts.isNewExpression(parent) || ts.isPropertyAssignment(parent) ||
        ts.isReturnStatement(parent) || ts.isVariableDeclaration(parent) || ts.isArrowFunction(parent) ||
        ts.isShorthandPropertyAssignment(parent) || ts.isArrayLiteralExpression(parent) || ts.isBinaryExpression(parent) || ts.isConditionalExpression(parent);
      if (!isText && !isGiven) return;
      const type = checker.getTypeAtLocation(node);
      const found = literals(type);
      if (!found.length) return;
      const context = isText || ts.isBinaryExpression(parent) ? undefined : checker.getContextualType(node);
      const isWider = isText || (context && !isClosed(context) && constituents(context).some((one) => one.flags & (TypeFlags.StringLike | TypeFlags.Any | TypeFlags.Unknown | TypeFlags.Intersection) && !one.isStringLiteral()));
      if (isWider) for (const { value } of found) keepText(value, 'given as a text', node);
    }
  };
  for (const file of files) visit(file);

  const names = [...owned].filter((name) => !kept.has(name)).sort();
  const words = new Map([...texts].filter(([text]) => text && declared.has(text) && !keptTexts.has(text)));
  return { names: shortened(names, [...groups.values()], counts, kept), words, kept, keptTexts, owned, texts };
}

/** The short names: letters, and beyond them two. First those that the minifier gives to most variables. */
const LETTERS = 'etsrnioachludfpvgmbywkqxjzCMAETSRNIOHLUDFPVGBYWKQXJZ';
export const SHORT = [...LETTERS, ...[...LETTERS].flatMap((one) => [...LETTERS].map((other) => one + other))];

/**
 * Returns a short name for each name. Names that no value has together may share one, for the fewer there are, the better
 * the files are compressed: those that are used most get the first that is free. A name that stays counts as well: a frame
 * has `t` on the wire, and so has its content in here.
 */
function shortened(names, groups, counts, kept) {
  const neighbours = new Map(names.map((name) => [name, new Set()]));
  for (const group of groups) {
    for (const name of group) for (const other of group) if (name !== other) neighbours.get(name)?.add(other);
  }
  const all = {};
  for (const name of [...names].sort((one, other) => counts.get(other) - counts.get(one) || (one < other ? -1 : 1))) {
    const taken = new Set([...neighbours.get(name)].map((other) => all[other] ?? other));
    all[name] = SHORT.find((name) => !taken.has(name) && (name.length === 1 || !kept.has(name)));
  }
  return all;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = (name) => fileURLToPath(new URL(name, import.meta.url));
  const { names, words, kept, keptTexts, owned, texts } = internalNames(
    ['index', 'mesh', 'core', 'page', 'page-mesh', 'page-core'].map((name) => path(`src/${name}.ts`)),
    path('src/'),
  );
  console.log('names:', JSON.stringify(names));
  console.log('words:', [...words.keys()].sort().join(' '));
  for (const [name, why] of kept) if (owned.has(name)) console.log('name stays', name, why);
  for (const [text, why] of keptTexts) if (texts.has(text)) console.log('text stays', text, why);
}
