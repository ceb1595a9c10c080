/** The public API as a program uses it: with a bearer token. */

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests state what they expect of each answer
  body: any;
}

export class Api {
  constructor(
    readonly url: string,
    readonly token?: string,
  ) {}

  /** Signs in and gives an API that calls as that user. */
  async signIn(username: string, password: string): Promise<Api> {
    const { body } = await this.must(201, "POST", "/sessions", { username, password });
    return new Api(this.url, body.token);
  }

  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const response = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : undefined };
  }

  /** As `call`, but another status than the expected one fails. */
  async must(status: number, method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await this.call(method, path, body);
    if (answer.status !== status) {
      throw new Error(
        `${method} ${path}: ${answer.status} instead of ${status}: ${JSON.stringify(answer.body)}`,
      );
    }
    return answer;
  }
}
