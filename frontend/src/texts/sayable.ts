/** The shape of a language: English with every sentence replaceable, so that a missing one is a type error. */
export type Sayable<T> = T extends string
  ? string
  : T extends (...values: infer Values) => infer Said
    ? (...values: Values) => Sayable<Said>
    : { readonly [Key in keyof T]: Sayable<T[Key]> };
