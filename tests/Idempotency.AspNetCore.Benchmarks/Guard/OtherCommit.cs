using System.ComponentModel;
using System.Diagnostics;

namespace Idempotency.AspNetCore.Benchmarks;

/// <summary>Another commit of this repository, in a git worktree that is removed with it.</summary>
internal sealed class OtherCommit : IDisposable
{
    private readonly string _root;
    private readonly string _folder;

    private OtherCommit(string root, string folder, string name)
    {
        (_root, _folder, Name) = (root, folder, name);

        // Ctrl+C would end the process without a word to anybody.
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Dispose();
        Console.CancelKeyPress += static (_, cancel) =>
        {
            cancel.Cancel = true;
            Environment.Exit(2);
        };
    }

    /// <summary>Its short hash and its subject.</summary>
    public string Name { get; }

    /// <summary>Checks a commit out.</summary>
    /// <param name="commit">
    /// The commit; null for the one that a branch is merged into: the merge base with <c>origin/main</c>, or with <c>main</c> where there is no remote. On that branch
    /// itself, it is the commit before, or the last one while the working tree has changes.
    /// </param>
    public static OtherCommit CheckOut(string? commit)
    {
        var root = Git(Page.Folder, "rev-parse", "--show-toplevel");
        var hash = TryGit(root, "rev-parse", "--verify", "--quiet", $"{commit ?? DefaultOf(root)}^{{commit}}")
            ?? throw new InvalidOperationException($"There is no commit '{commit}' in this repository.");
        var name = Git(root, "log", "-1", "--format=%h", hash);
        var folder = Path.Combine(Path.GetTempPath(), $"idempotency-guard-{name}-{Environment.ProcessId}");
        Console.Error.WriteLine($"Comparing with {Git(root, "log", "-1", "--format=%h \"%s\"", hash)}");
        Git(root, "worktree", "add", "--detach", "--quiet", folder, hash);
        return new OtherCommit(root, folder, name);
    }

    /// <summary>Builds its benchmark in Release.</summary>
    /// <returns>The assembly.</returns>
    public string Build()
    {
        var project = Path.Combine(_folder, Path.GetRelativePath(_root, Page.Folder));
        if (!Directory.Exists(project))
        {
            throw new InvalidOperationException($"{Name} has no benchmark in '{Path.GetRelativePath(_root, Page.Folder)}'. Compare with a later commit.");
        }

        Console.Error.WriteLine($"Building {Name}");
        var (isBuilt, output) = Run("dotnet", project, "build", "-c", "Release", "--nologo", "-v", "quiet", "--disable-build-servers");
        var assembly = Path.Combine(_folder, Path.GetRelativePath(_root, typeof(OtherCommit).Assembly.Location));
        return isBuilt && File.Exists(assembly) ? assembly : throw new InvalidOperationException($"{Name} could not be built:\n{output}");
    }

    public void Dispose()
    {
        if (Directory.Exists(_folder))
        {
            TryGit(_root, "worktree", "remove", "--force", _folder);
        }
    }

    private static string DefaultOf(string root)
    {
        var head = Git(root, "rev-parse", "HEAD");
        var mergeBase = TryGit(root, "merge-base", "HEAD", "origin/main") ?? TryGit(root, "merge-base", "HEAD", "main");
        return mergeBase is not null && mergeBase != head ? mergeBase
            : Git(root, "status", "--porcelain", "--untracked-files=no").Length > 0 ? head
            : "HEAD~1";
    }

    private static string Git(string folder, params string[] arguments)
    {
        var (succeeded, output) = Run("git", folder, arguments);
        return succeeded ? output : throw new InvalidOperationException($"'git {string.Join(' ', arguments)}' failed: {output}");
    }

    private static string? TryGit(string folder, params string[] arguments) => Run("git", folder, arguments) is (true, var output) ? output : null;

    private static (bool Succeeded, string Output) Run(string program, string folder, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? (true, output.Trim()) : (false, $"{output}{errors.GetAwaiter().GetResult()}".Trim());
        }
        catch (Win32Exception notThere)
        {
            throw new InvalidOperationException($"'{program}' could not be started: {notThere.Message}", notThere);
        }
    }
}
