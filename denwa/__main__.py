from denwa.cli.main import main

main()
